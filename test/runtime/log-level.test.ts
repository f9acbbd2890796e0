import {expect, it} from 'vitest'
import {parseLogLevel} from '../../src/lib/runtime/log-level.ts'

it.each([
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
  ['DEBUG', 'debug'],
  ['INFO', 'info'],
  ['WARNING', 'warn'],
  ['ERROR', 'error'],
  ['CRITICAL', 'error'],
  ['Fatal', 'error'],
  ['trace', 'debug'],
  [' info ', 'info'],
  ['', undefined],
  ['loud', undefined],
  ['constructor', undefined],
  ['10', undefined],
])('%j is the level %s', (text, level) => {
  expect(parseLogLevel(text)).toBe(level)
})
