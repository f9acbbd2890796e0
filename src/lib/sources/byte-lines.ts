const NEWLINE = 0x0a

/**
 * The lines of bytes that come in pieces, blank ones too, with undefined after those that each piece completed. They are ended by a line feed
 * and nothing else: what Node has for it also ends them at U+2028, which JSON leaves as it is.
 * `unfinished` is asked whenever a line goes on in the next piece, with its bytes so far; it may throw.
 */
export async function* byteLines(
  pieces: AsyncIterable<Buffer>,
  unfinished: (bytes: number) => void = () => {},
): AsyncGenerator<Buffer | undefined> {
  let parts: Buffer[] = [] // joined once: a line may have many
  let bytes = 0
  for await (const piece of pieces) {
    let start = 0
    for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, start)) {
      const last = piece.subarray(start, end)
      const line = parts.length > 0 ? Buffer.concat([...parts, last]) : last
      parts = []
      bytes = 0
      start = end + 1
      yield line
    }

    if (start < piece.length) parts.push(piece.subarray(start))
    bytes += piece.length - start
    unfinished(bytes)
    yield undefined
  }

  if (parts.length > 0) yield Buffer.concat(parts)
}
