import {expect, it} from 'vitest'
import {printable} from '../../src/lib/format/printable.ts'

it.each([
  ['Füllstand (1) 日本 😀 \\n "x"', 'Füllstand (1) 日本 😀 \\n "x"'],
  ['two\nlines\r\n\tend', 'two\\nlines\\r\\n\\tend'],
  ['\u001b[2J\u0000\u007f', '\\u001b[2J\\u0000\\u007f'],
  ['\u009b2J\u0085', '\\u009b2J\\u0085'],
  ['a\u2028b\u2029', 'a\\u2028b\\u2029'],
])('a text on a terminal steers nothing: %j', (text, shown) => {
  expect(printable(text)).toBe(shown)
})
