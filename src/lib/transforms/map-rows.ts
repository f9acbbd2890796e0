import {DataError} from '../errors.ts'

/** The rows of one message, each made by itself: a bad one among several does not spoil the others. */
export function mapRows<I, O>(rows: readonly I[], toRow: (row: I) => O): readonly (O | DataError)[] {
  if (rows.length === 1) return [toRow(rows[0]!)] // the message is its row, and is refused as such
  return rows.map((row) => {
    try {
      return toRow(row)
    } catch (error) {
      if (error instanceof DataError) return error
      throw error
    }
  })
}
