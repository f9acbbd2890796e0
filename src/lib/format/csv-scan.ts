/*
 * Where the records of a CSV lie, byte by byte. What their fields say is csv-parse's business; this finds record ends
 * (for the order of rows, for reading one again, for the text of a bad one).
 */

const QUOTE = 0x22
const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/** Calls back with start and end (line break excluded) of each complete record; returns where the first incomplete one starts. */
export function scanRecords(block: Buffer, delimiter: number, onRecord: (start: number, end: number) => void): number {
  let start = 0
  let isFieldStart = true
  let isQuoted = false
  for (let index = 0; index < block.length; index++) {
    const byte = block[index]!
    if (isQuoted) {
      if (byte !== QUOTE) continue
      if (block[index + 1] === QUOTE) index++
      else isQuoted = false
    } else if (byte === NEWLINE) {
      onRecord(start, block[index - 1] === CARRIAGE_RETURN ? index - 1 : index)
      start = index + 1
      isFieldStart = true
    } else if (byte === QUOTE && isFieldStart) {
      isQuoted = true
      isFieldStart = false
    } else isFieldStart = byte === delimiter || (isFieldStart && byte === SPACE)
  }

  return start
}

/** The text of one field of a record, without its quotes and the spaces around it; undefined when the record is shorter. */
export function fieldAt(record: Buffer, delimiter: number, column: number): string | undefined {
  let start = 0
  let isFieldStart = true
  let isQuoted = false
  for (let index = 0; index <= record.length; index++) {
    const byte = record[index]
    if (isQuoted && index < record.length) {
      if (byte !== QUOTE) continue
      if (record[index + 1] === QUOTE) index++
      else isQuoted = false
      continue
    }

    if (byte === delimiter || index === record.length) {
      if (column-- === 0) return unquote(record.toString('utf8', start, index).trim()).trim()
      start = index + 1
      isFieldStart = true
    } else if (byte === QUOTE && isFieldStart) {
      isQuoted = true
      isFieldStart = false
    } else isFieldStart = isFieldStart && byte === SPACE
  }

  return undefined
}

/** Whether every quote of a record stands at the beginning or at the end of a field. Else it has no fields, and may hold rows that an open quote took in. */
export function isWellQuoted(record: Buffer, delimiter: number): boolean {
  if (!record.includes(QUOTE)) return true
  let isFieldStart = true
  for (let index = 0; index < record.length; index++) {
    const byte = record[index]!
    if (byte === delimiter) isFieldStart = true
    else if (byte !== QUOTE) isFieldStart = isFieldStart && byte === SPACE
    else {
      const end = isFieldStart ? closingQuote(record, index) : -1
      const isClosed = end !== -1 && (end + 1 === record.length || record[end + 1] === delimiter)
      if (!isClosed) return false
      index = end
    }
  }

  return true
}

function closingQuote(record: Buffer, opening: number): number {
  let index = record.indexOf(QUOTE, opening + 1)
  while (index !== -1 && record[index + 1] === QUOTE) index = record.indexOf(QUOTE, index + 2)
  return index
}

const unquote = (text: string) =>
  text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1).replaceAll('""', '"') : text
