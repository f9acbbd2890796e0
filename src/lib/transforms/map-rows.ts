import {DataError} from '../errors.ts'

/** The rows of one message, each made by itself: a bad one among several does not spoil the others. */
export function mapRows<I extends object, O>(rows: readonly (I | DataError)[], toRow: (row: I) => O): readonly (O | DataError)[] {
  if (rows.length === 1) return [toRow(readable(rows[0]!))] // the message is its row, and is refused as such
  return rows.map((row) => {
    try {
      return toRow(readable(row))
    } catch (error) {
      if (error instanceof DataError) return error
      throw error
    }
  })
}

/** Throws what stands in the place of a row that could not be read. */
export function readable<I extends object>(row: I | DataError): I {
  if (row instanceof DataError) throw row
  return row
}
