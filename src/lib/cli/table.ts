/** Rows under a header, aligned, without rules between them: as good to grep as to read. */
export async function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
): Promise<string> {
  const {default: Table} = await import('cli-table3')
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  }
  const inside = {left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  '}
  const table = new Table({
    head: [...header],
    chars: {...none, ...inside},
    style: {head: [], border: [], 'padding-left': 0, 'padding-right': 0},
    colAligns: header.map((_, column) => (rightAligned.includes(column) ? 'right' : 'left')),
  })
  for (const row of rows) table.push([...row])
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
