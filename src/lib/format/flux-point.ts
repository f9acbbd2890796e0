import type {FluxTable} from './annotated-csv.ts'

/** A row of an answer. */
export interface FluxPoint {
  readonly table: FluxTable
  /** As text; columns are counted as in the table. */
  cell(column: number): string
}

/** By the names of its columns: for a dead letter. */
export const pointCells = (point: FluxPoint): Readonly<Record<string, string>> =>
  Object.fromEntries(point.table.columns.map(({name}, column) => [name, point.cell(column)]))
