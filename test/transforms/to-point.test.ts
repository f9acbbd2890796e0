import {describe, expect, it} from 'vitest'
import {DataError} from '../../src/lib/errors.ts'
import type {PointOptions} from '../../src/lib/transforms/to-point.ts'
import {timestampParser} from '../../src/lib/format/timestamp.ts'
import {LABEL_FIELDS} from '../../src/lib/transforms/label.ts'
import {createObservations} from '../../src/lib/transforms/observations.ts'
import {toPoint} from '../../src/lib/transforms/to-point.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {seededRandom} from '../fakes/random.ts'
import {rawMessage, somewhere} from '../fakes/raw-message.ts'

const NOW = 1_700_000_000_000
/** 22/12/2015 4:00:10 PM, UTC. */
const TIME = '1450800010000000000'

/** The preset swat, unless told otherwise; it keeps its state from message to message. */
function points(own: Partial<PointOptions> = {}) {
  const {log, events} = rememberingLogger()
  const observations = createObservations(log.warn)
  const transform = toPoint({
    measurement: 'swat',
    tags: {},
    tagFields: [],
    excludeFields: [],
    timestampField: undefined,
    labelField: 'auto',
    observations,
    parse: timestampParser('auto', 'UTC'),
    onBadTimestamp: 'reject',
    now: () => NOW,
    ...own,
  })
  return {
    counts: observations.counts,
    events,
    outcomeOf: (value: unknown, received?: number) => transform(rawMessage(value, received), somewhere),
    linesOf(value: unknown, received?: number): readonly string[] {
      const outcome = transform(rawMessage(value, received), somewhere)
      return 'rows' in outcome
        ? outcome.rows.map((row) => (row instanceof DataError ? `refused: ${row.reason}` : row.bytes.toString().trimEnd()))
        : [`filtered: ${outcome.filtered}`]
    },
  }
}

const lineOf = (value: unknown, own: Partial<PointOptions> = {}) => points(own).linesOf(value).join('\n')
/** Without a label: what the preset flat does. */
const flatLineOf = (value: unknown, own: Partial<PointOptions> = {}) => lineOf(value, {labelField: undefined, ...own})
const refusalOf = (reason: string, message: unknown = expect.any(String)): unknown =>
  expect.objectContaining({name: 'DataError', reason, message})

/** A line, or why there is none; with the fields as numbers, whose text may be the one that came or the one that JavaScript prints. */
function numbersIn({linesOf}: ReturnType<typeof points>, message: string): unknown {
  try {
    return linesOf(message).map((line) => line.replace(/(?<==)[\d.]+(e[-+]?\d+)?(?=[, ])/gi, (text) => String(Number(text))))
  } catch (error) {
    if (error instanceof DataError) return `${error.reason}: ${error.message}`
    throw error
  }
}

const again = (value: unknown) => JSON.stringify(JSON.stringify(value))

describe('toPoint reads', () => {
  it.each<[shape: string, message: unknown, lines: readonly string[]]>([
    [
      'flat text with Normal_Attack',
      {Timestamp: '22/12/2015 4:00:10 PM', FIT101: '2.470294', LIT101: '522.8467', P101: '2', Normal_Attack: 'Normal'},
      [`swat,status=Normal FIT101=2.470294,LIT101=522.8467,P101=2 ${TIME}`],
    ],
    [
      'flat numbers with Normal/Attack and a bare NaN',
      '{"Timestamp":"22/12/2015 4:00:10 PM","FIT101":2.47,"LIT101":NaN,"P101":2,"Normal/Attack":"A ttack"}',
      [`swat,status=Attack FIT101=2.47,P101=2 ${TIME}`],
    ],
    [
      'raw headers and values with their spaces',
      {' Timestamp': ' 22/12/2015 4:00:10 PM', 'FIT101 ': ' 2.47', ' MV101': '2 ', 'Normal/Attack': ' Attack '},
      [`swat,status=Attack FIT101=2.47,MV101=2 ${TIME}`],
    ],
    [
      'JSON encoded twice, with label',
      again({Timestamp: '22/12/2015 4:00:10 PM', FIT101: '2.47', label: '1'}),
      [`swat,status=Attack FIT101=2.47 ${TIME}`],
    ],
    [
      'a JSON-encoded array of rows and trailing nulls',
      again([
        {Timestamp: '22/12/2015 4:00:10 PM', FIT101: 1, label: 0},
        {Timestamp: '22/12/2015 4:00:11 PM', FIT101: 2, label: 1},
        null,
        null,
      ]),
      [`swat,status=Normal FIT101=1 ${TIME}`, 'swat,status=Attack FIT101=2 1450800011000000000'],
    ],
    [
      'an array in which one row is bad: the others stay',
      again([
        {Timestamp: '22/12/2015 4:00:10 PM', FIT101: 1, label: 0},
        {Timestamp: '31/2/2015 4:00:10 PM', FIT101: 2, label: 0},
        {Timestamp: '22/12/2015 4:00:10 PM', label: 0},
      ]),
      [`swat,status=Normal FIT101=1 ${TIME}`, 'refused: bad timestamp', 'refused: no fields'],
    ],
    [
      'values within sensors',
      {timestamp: '2015-12-22T16:00:10Z', sensors: {FIT101: 2.47, MV101: 2}, label: 'Normal'},
      [`swat,status=Normal FIT101=2.47,MV101=2 ${TIME}`],
    ],
    [
      'values within data, and others beside them',
      {ts: 1_450_800_010, plant: 1, Data: {FIT101: 2.47, Label: 1}, level: 3},
      [`swat,status=Attack plant=1,FIT101=2.47,level=3 ${TIME}`],
    ],
    ['everything within a wrapper', {data: {ts: 1_450_800_010, FIT101: 2.47, label: 0}}, [`swat,status=Normal FIT101=2.47 ${TIME}`]],
    [
      'a wrapper within a wrapper',
      {ts: 1_450_800_010, data: {sensors: {FIT101: 2.47}}, label: 0},
      [`swat,status=Normal FIT101=2.47 ${TIME}`],
    ],
    [
      'a lower-case timestamp with a few values',
      {timestamp: '22/12/2015 4:00:10 PM', FIT101: '2.47', attack: 'x', Attack: 'Attack'},
      [`swat,status=Attack FIT101=2.47 ${TIME}`],
    ],
    ['an empty array, as no rows', [], []],
  ])('%s', (_, message, lines) => {
    expect(points().linesOf(message)).toEqual(lines)
  })

  it('the good rows of an array, and says in the place of each of the others what it is', () => {
    const message = '[{"Timestamp":1450000033,"n":1},{"Timestamp":"bad","n":2},null,7]'
    expect(points({labelField: undefined}).linesOf(message)).toEqual([
      'swat n=1 1450000033000000000',
      'refused: bad timestamp',
      'refused: not an object',
    ])
  })

  it('all 51 values of a SWaT row, in their order', () => {
    const names = Array.from({length: 51}, (_, index) => `TAG${index}`)
    const row = Object.fromEntries(names.map((name, index) => [name, `${index}.5`]))
    const fields = names.map((name, index) => `${name}=${index}.5`).join(',')
    expect(lineOf({Timestamp: '22/12/2015 4:00:10 PM', ...row, 'Normal/Attack': 'Normal'})).toBe(`swat,status=Normal ${fields} ${TIME}`)
  })

  it('no tombstone', () => {
    expect(points().outcomeOf(null)).toEqual({filtered: 'tombstone'})
  })

  it('nothing of a message that is no JSON object', () => {
    expect(() => lineOf('hello')).toThrow(refusalOf('malformed JSON'))
    expect(() => lineOf('5')).toThrow(refusalOf('not an object'))
  })
})

describe('a value', () => {
  it.each<[value: unknown, text: string]>([
    [2.47, '2.47'],
    [2, '2'],
    [-0.5, '-0.5'],
    ['2.470294', '2.470294'],
    ['2.50', '2.50'],
    [' 2.5 ', '2.5'],
    ['007', '7'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1e-3', '0.001'],
    ['12345678901234567890', '12345678901234567890'],
  ])('is a float when it is the number %j', (value, text) => {
    expect(flatLineOf({ts: 1, f: value})).toBe(`swat f=${text} 1000000000`)
  })

  it.each<[what: string, value: unknown, example: string]>([
    ['text', 'Active', 'Active'],
    ['empty text', '', 'empty text'],
    ['a decimal comma', '2,5', '2,5'],
    ['the text NaN', 'NaN', 'NaN'],
    ['null', null, 'null'],
    ['a boolean', true, 'true'],
    ['an object', {a: 1}, 'an object'],
    ['an array', [1, 2], 'an array'],
    ['long text', 'x'.repeat(1000), `${'x'.repeat(40)}…`],
  ])('is left out, counted and warned of once a field when it is no number: %s', (_, value, example) => {
    const {linesOf, counts, events} = points({labelField: undefined})
    for (let turn = 0; turn < 3; turn++) expect(linesOf({ts: 1, f: value, g: 1})).toEqual(['swat g=1 1000000000'])
    expect(counts).toEqual({'field.skipped': {f: 3}})
    expect(events).toEqual([['warn', 'field.skipped', {name: 'f', reason: 'not a number', example}]])
  })

  it('keeps every digit of an integer, in the first message and in those that are laid out alike', () => {
    const {linesOf} = points()
    for (const integer of ['9007199254740993', '9223372036854775807', '-9223372036854775808', '18446744073709551615']) {
      expect(linesOf(`{"Timestamp":"22/12/2015 4:00:10 PM","a":${integer}}`)).toEqual([`swat a=${integer} ${TIME}`])
      expect(linesOf(`{"Timestamp":"22/12/2015 4:00:10 PM","a":"${integer}"}`)).toEqual([`swat a=${integer} ${TIME}`])
    }
  })

  it('is counted under one name, with its spaces or without', () => {
    const {linesOf, counts} = points({labelField: undefined})
    for (const key of [' f', 'f', 'f ']) linesOf({ts: 1, [key]: 'x', g: 1})
    expect(counts).toEqual({'field.skipped': {f: 3}})
  })

  it('is left out when its name is empty', () => {
    const {linesOf, counts, events} = points({labelField: undefined})
    expect(linesOf({ts: 1, '': 5, f: 1})).toEqual(['swat f=1 1000000000'])
    expect(linesOf({ts: 1, '  ': 6, f: 1})).toEqual(['swat f=1 1000000000'])
    expect(counts).toEqual({'field.skipped': {'': 2}})
    expect(events).toEqual([['warn', 'field.skipped', {reason: 'its name is empty', example: '5'}]])
  })

  it('keeps a name that needs escapes', () => {
    expect(flatLineOf({ts: 1, 'FIT 101': 1, 'a=b,c': 2, 'LIT101.Pv': 3})).toBe(String.raw`swat FIT\ 101=1,a\=b\,c=2,LIT101.Pv=3 1000000000`)
  })

  it('keeps a name that every object has', () => {
    expect(flatLineOf('{"ts":1,"constructor":1,"__proto__":2}')).toBe('swat constructor=1,__proto__=2 1000000000')
  })

  it('is refused with its message when line protocol cannot carry its name', () => {
    expect(() => flatLineOf({ts: 1, 'a\nb': 1, f: 1})).toThrow(refusalOf('unwritable field'))
  })

  it('that is no number is left out under whatever name, also one that line protocol cannot carry', () => {
    const {linesOf, counts} = points({labelField: undefined})
    for (const name of ['path\\', 'a\nb', '\tc', 'd'.repeat(5000)])
      expect(linesOf({ts: 1, n: 1, [name]: 'abc'})).toEqual(['swat n=1 1000000000'])
    expect(counts).toEqual({'field.skipped': {'path\\': 1, 'a\nb': 1, c: 1, ['d'.repeat(5000)]: 1}})
    expect(() => linesOf({ts: 1, n: 1, 'path\\': 5})).toThrow(refusalOf('unwritable field'))
  })

  it('is refused with its message when no other is a number', () => {
    for (const message of [{ts: 1}, {ts: 1, f: 'x'}, {ts: 1, label: 0}, {}])
      expect(() => lineOf(message)).toThrow(refusalOf('no fields', 'the record has no numeric value'))
  })

  it('that is nested deeper than a stack reaches is a value like any other', () => {
    const [open, close] = ['['.repeat(50_000), ']'.repeat(50_000)]
    expect(lineOf(`{"ts":1,"f":1,"g":${open}${close},"label":${open}${close}}`)).toBe('swat f=1 1000000000')
    const wrappers = `${'{"data":'.repeat(50_000)}1${'}'.repeat(50_000)}`
    expect(lineOf(`{"ts":1,"f":1,"data":${wrappers}}`)).toBe('swat f=1 1000000000')
  })

  it('is the same for a message by itself and after others that are laid out alike', () => {
    const random = seededRandom(101)
    const pick = <T>(choices: readonly T[]) => choices[Math.floor(random() * choices.length)]!
    const [time, label] = [() => pick(['"1"', '2', '2.5', '"yesterday"']), () => pick(['0', '1', '"A ttack"', '"?"', '""'])]
    const value = () => pick(['1', '2.5', '1e5', '6.41E-05', '"1.50"', '" 2 "', '"1e5"', '"on"', '""', 'true', 'null'])
    const own = {tags: {plant: 'p'}, tagFields: ['site', 'line'], excludeFields: ['drop']}
    const after = points(own)
    for (let count = 0; count < 5000; count++) {
      const rest = random() < 0.9 ? '' : pick([',"data":2', ',"Label":1', ',"time":3', ',"":1', ',"MV102 ":1'])
      const message = `{"ts":${time()},"MV101":${value()},"site":${value()},"drop":${value()},"sensors":1,"Attack":${label()},"FIT101":${value()}${rest}}`
      expect(numbersIn(after, message)).toEqual(numbersIn(points(own), message))
    }
  })

  it('keeps its meaning when more names have been seen than are remembered', () => {
    const {linesOf} = points({labelField: undefined, tagFields: ['site']})
    for (let name = 0; name < 10_500; name++)
      expect(linesOf({ts: 1, site: `s${name}`, [`f${name}`]: 1})).toEqual([`swat,site=s${name} f${name}=1 1000000000`])
  })
})

describe('a name that appears twice', () => {
  it.each<[what: string, message: unknown]>([
    ['with a space and without', {ts: 1, ' MV101': 1, MV101: 2}],
    ['without a space and with', {ts: 1, MV101: 1, ' MV101': 2}],
    ['with spaces on either side', {ts: 1, ' MV101': 1, 'MV101 ': 2}],
    ['with spaces, and the same value', {ts: 1, ' MV101': 1, MV101: 1}],
    ['as a time', {' Timestamp': '1', Timestamp: '2', MV101: 1}],
    ['within a wrapper', {ts: 1, sensors: {' MV101': 1, MV101: 2}}],
  ])('is refused: %s', (_, message) => {
    expect(() => lineOf(message)).toThrow(refusalOf('duplicate key', expect.stringContaining('appears twice once the spaces are trimmed')))
  })

  it.each<[what: string, message: unknown]>([
    ['beside a wrapper and within', {ts: 1, MV101: 1, sensors: {MV101: 2}}],
    ['within a wrapper and after it', {ts: 1, sensors: {MV101: 2}, MV101: 1}],
    ['within a wrapper, with spaces', {ts: 1, ' MV101': 1, sensors: {MV101: 2}}],
    ['within two wrappers', {ts: 1, sensors: {MV101: 1}, data: {MV101: 2}}],
    ['as a time', {ts: 1, sensors: {ts: 2, MV101: 1}}],
    ['as a label', {ts: 1, label: 0, sensors: {label: 1, MV101: 1}}],
    ['as a tag', {ts: 1, site: 'a', sensors: {site: 'b', MV101: 1}}],
  ])('is refused when it has two values: %s', (_, message) => {
    expect(() => lineOf(message, {tagFields: ['site']})).toThrow(
      refusalOf('duplicate key', expect.stringContaining('once in "sensors" or "data"')),
    )
  })

  it('is no matter when it says the same beside a wrapper and within', () => {
    expect(flatLineOf({ts: '2015-12-22', MV101: 1, sensors: {ts: '2015-12-22', MV101: 1}})).toBe('swat MV101=1,MV101=1 1450742400000000000')
  })

  it('is no matter when it is left out anyway', () => {
    const own = {excludeFields: ['MV101']}
    expect(flatLineOf({ts: 1, ' MV101': 1, MV101: 2, f: 1}, own)).toBe('swat f=1 1000000000')
    expect(flatLineOf({ts: 1, MV101: 1, f: 1, sensors: {MV101: 2}}, own)).toBe('swat f=1 1000000000')
  })
})

describe('the label', () => {
  it.each(LABEL_FIELDS)('is found under %s', (field) => {
    expect(lineOf({ts: 1, f: 1, [field]: 'A ttack'})).toBe('swat,status=Attack f=1 1000000000')
    expect(lineOf({ts: 1, f: 1, [` ${field} `]: 'Normal'})).toBe('swat,status=Normal f=1 1000000000')
  })

  it('is that of the most telling name when there are several, and the others are values like any other', () => {
    expect(lineOf({ts: 1, label: 0, Attack: 1, Normal_Attack: 'Attack', f: 1})).toBe('swat,status=Attack Attack=1,label=0,f=1 1000000000')
  })

  it('is that of the field that is named, and no other', () => {
    const {linesOf, counts} = points({labelField: 'state'})
    expect(linesOf({ts: 1, f: 1, state: 'Attack', label: 0})).toEqual(['swat,status=Attack f=1,label=0 1000000000'])
    expect(linesOf({ts: 1, f: 1, Normal_Attack: 'Attack'})).toEqual(['swat f=1 1000000000'])
    expect(counts['label.missing']).toEqual({'': 1})
  })

  it('is never Normal by default: without one there is no tag, which is counted and warned of once', () => {
    const {linesOf, counts, events} = points()
    for (let turn = 0; turn < 3; turn++) expect(linesOf({ts: 1, f: 1})).toEqual(['swat f=1 1000000000'])
    expect(counts).toEqual({'label.missing': {'': 3}})
    expect(events).toEqual([['warn', 'label.missing', {looked: 'auto', stored: 'without the tag status'}]])
  })

  it('is not missed in a record that is rejected', () => {
    const {outcomeOf, counts} = points()
    expect(() => outcomeOf({Timestamp: 'soon', f: 1})).toThrow(DataError)
    expect(counts).toEqual({})
  })

  it.each<[what: string, value: unknown, example: string]>([
    ['a word', 'Under Maintenance', 'Under Maintenance'],
    ['a number', 2, '2'],
    ['empty text', '', 'empty text'],
    ['null', null, 'null'],
    ['an object', {toString: null}, 'an object'],
    ['long text', 'x'.repeat(1000), `${'x'.repeat(40)}…`],
  ])('is never guessed: with %s there is no tag, which is counted and warned of once', (_, value, example) => {
    const {linesOf, counts, events} = points()
    for (let turn = 0; turn < 2; turn++) expect(linesOf({ts: 1, f: 1, Label: value})).toEqual(['swat f=1 1000000000'])
    expect(counts).toEqual({'label.unknown': {Label: 2}})
    expect(events).toEqual([['warn', 'label.unknown', {name: 'Label', example, stored: 'without the tag status'}]])
  })

  it('is a value like any other where messages have no labels', () => {
    const {linesOf, counts} = points({labelField: undefined})
    expect(linesOf({ts: 1, label: 1, Attack: '0'})).toEqual(['swat label=1,Attack=0 1000000000'])
    expect(counts).toEqual({})
  })
})

describe('the time', () => {
  it.each(['Timestamp', 'timestamp', 'TIMESTAMP', 'time', 'DateTime', 'date_time', 't_stamp', 'ts', 'Date', ' Timestamp '])(
    'is found under "%s"',
    (name) => {
      expect(flatLineOf({[name]: '22/12/2015 4:00:10 PM', f: 1})).toBe(`swat f=1 ${TIME}`)
    },
  )

  it('is that of the most telling name when there are several, and a number under another name is a value', () => {
    expect(flatLineOf({ts: 5, date: '22/12/2015', Timestamp: '22/12/2015 4:00:10 PM', f: 1})).toBe(`swat ts=5,f=1 ${TIME}`)
  })

  it('is that of the field that is named, and no other', () => {
    const own = {timestampField: 'measured'}
    expect(flatLineOf({measured: '22/12/2015 4:00:10 PM', ts: 5, f: 1}, own)).toBe(`swat ts=5,f=1 ${TIME}`)
    expect(() => flatLineOf({ts: 5, f: 1}, own)).toThrow(refusalOf('bad timestamp', 'the record has no timestamp field'))
    expect(() => flatLineOf({Measured: 5, f: 1}, own)).toThrow(refusalOf('bad timestamp'))
  })

  it('leaves a field called time where another one is named, under a name that the server keeps', () => {
    expect(flatLineOf({ts: 1, time: 5}, {timestampField: 'ts'})).toBe('swat field_time=5 1000000000')
  })

  it('is read in the zone that is given', () => {
    const parse = timestampParser('auto', 'Asia/Singapore')
    expect(flatLineOf({Timestamp: '23/12/2015 12:00:10 AM', f: 1}, {parse})).toBe(`swat f=1 ${TIME}`)
  })

  it('is refused when it cannot be read or is missing', () => {
    expect(() => flatLineOf({Timestamp: '12/22/2015 4:00:10 PM', f: 1})).toThrow(
      refusalOf('bad timestamp', expect.stringMatching(/^timestamp field "Timestamp": "12\/22.*--timestamp-format mdy$/)),
    )
    expect(() => flatLineOf({Timestamp: null, f: 1})).toThrow(refusalOf('bad timestamp', 'timestamp field "Timestamp": it is missing'))
    expect(() => flatLineOf({f: 1})).toThrow(refusalOf('bad timestamp', 'the record has no timestamp field'))
  })

  it('is that of the broker or of now only when asked for', () => {
    const received = 1_600_000_000_000
    for (const message of [{f: 1}, {ts: 'soon', f: 1}]) {
      expect(points({labelField: undefined, onBadTimestamp: 'broker'}).linesOf(message, received)).toEqual([`swat f=1 ${received}000000`])
      expect(points({labelField: undefined, onBadTimestamp: 'now'}).linesOf(message, received)).toEqual([`swat f=1 ${NOW}000000`])
    }
  })
})

describe('the tags', () => {
  it('are those that every point gets, then the label', () => {
    expect(lineOf({ts: 1, f: 1, label: 1}, {tags: {plant: 'a b', area: '7'}})).toBe(
      String.raw`swat,area=7,plant=a\ b,status=Attack f=1 1000000000`,
    )
  })

  it.each<[value: unknown, tag: string]>([
    ['P1', ',stage=P1'],
    [' P 1 ', String.raw`,stage=P\ 1`],
    [1, ',stage=1'],
    [true, ',stage=true'],
    ['', ''],
    [null, ''],
    [{a: 1}, ''],
    [['a'], ''],
  ])('are those fields that are named, and no longer values: %j', (value, tag) => {
    expect(flatLineOf({ts: 1, f: 1, ' stage': value}, {tagFields: ['stage']})).toBe(`swat${tag} f=1 1000000000`)
  })

  it('are taken from a wrapper too', () => {
    expect(flatLineOf({ts: 1, sensors: {f: 1, 'Attack Type': 'A 1'}}, {tagFields: ['Attack Type']})).toBe(
      String.raw`swat,Attack\ Type=A\ 1 f=1 1000000000`,
    )
  })

  it('are never written twice: the message counts more than the flag, and the label more than either', () => {
    expect(flatLineOf({ts: 1, f: 1, site: 'message'}, {tags: {site: 'flag'}, tagFields: ['site']})).toBe('swat,site=message f=1 1000000000')
    expect(lineOf({ts: 1, f: 1, label: 1}, {tags: {status: 'flag'}})).toBe('swat,status=Attack f=1 1000000000')
    expect(lineOf({ts: 1, f: 1, status: 'message', label: 1}, {tagFields: ['status']})).toBe('swat,status=Attack f=1 1000000000')
    expect(lineOf({ts: 1, f: 1}, {tags: {status: 'flag'}})).toBe('swat,status=flag f=1 1000000000')
  })

  it('make different series of different values, also where one value could be mistaken for two', () => {
    const {linesOf} = points({labelField: undefined, tagFields: ['a', 'b']})
    const lines = [{a: 'x,b,y'}, {a: 'x', b: 'y'}, {b: 'x', a: 'y'}].map((tags) => linesOf({ts: 1, f: 1, ...tags})[0])
    expect(lines).toEqual([String.raw`swat,a=x\,b\,y f=1 1000000000`, 'swat,a=x,b=y f=1 1000000000', 'swat,a=y,b=x f=1 1000000000'])
  })

  it('refuse a message whose value line protocol cannot carry, and take the next', () => {
    const {linesOf} = points({labelField: undefined, tagFields: ['path']})
    expect(() => linesOf({ts: 1, f: 1, path: 'C:\\'})).toThrow(refusalOf('unwritable tag'))
    expect(linesOf({ts: 1, f: 1, path: 'C:\\x'})).toEqual(['swat,path=C:\\x f=1 1000000000'])
  })
})

describe('a field that is excluded', () => {
  it.each([
    ['f', `swat,site=x,status=Attack g=3,h=4 1000000000`],
    ['sensors', `swat,site=x,status=Attack f=2,g=3 1000000000`],
    ['h', `swat,site=x,status=Attack f=2,g=3 1000000000`],
    ['label', `swat,site=x f=2,g=3,h=4 1000000000`],
    ['site', `swat,status=Attack f=2,g=3,h=4 1000000000`],
    ['ts', `swat,site=x,status=Attack f=2,g=3,h=4 ${NOW}000000`],
  ])('is left out, whatever it would be: %s', (name, line) => {
    const own = {excludeFields: [name], tagFields: ['site'], onBadTimestamp: 'now' as const}
    expect(lineOf({ts: 1, ' f': 2, g: 3, label: 1, site: 'x', sensors: {h: 4}}, own)).toBe(line)
  })

  it('is not counted as skipped', () => {
    const {linesOf, counts} = points({labelField: undefined, excludeFields: ['note']})
    linesOf({ts: 1, f: 1, note: 'text'})
    expect(counts).toEqual({})
  })
})
