import type {Outcome} from '../../src/lib/core/types.ts'
import {DataError} from '../../src/lib/errors.ts'

/** The rows of an outcome that has nothing but rows; an error among them is thrown. */
export function rowsIn<O>(outcome: Outcome<O>): readonly O[] {
  if (!('rows' in outcome)) throw new Error(`filtered: ${outcome.filtered}`)
  return outcome.rows.map((row) => {
    if (row instanceof DataError) throw row
    return row
  })
}
