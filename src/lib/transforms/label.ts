/** The names that SWaT exports and their producers use, the most telling first. */
export const LABEL_FIELDS = ['Normal_Attack', 'Normal/Attack', 'Label', 'label', 'Attack']

const LABELS: ReadonlyMap<string, 'Normal' | 'Attack'> = new Map([
  ['normal', 'Normal'],
  ['0', 'Normal'],
  ['0.0', 'Normal'],
  ['attack', 'Attack'],
  ['1', 'Attack'],
  ['1.0', 'Attack'],
])

/** `Normal`, `Attack`, the typo `A ttack`, any case, 0 and 1. Undefined for anything else: a label is never guessed. */
export function normaliseLabel(value: unknown): 'Normal' | 'Attack' | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  return LABELS.get(String(value).replaceAll(/\s/g, '').toLowerCase())
}
