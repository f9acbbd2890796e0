import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {formatBucketFile, parseBucketFile, readBucketFile} from '../../src/lib/runtime/bucket-file.ts'
import {temporaryFolder} from '../commands/cli.ts'

const HOUR = 3600
const DAY = 24 * HOUR

const read = (text: string) => parseBucketFile(text, 'b.json')
const one = (members: string) => read(`[{${members}}]`).buckets[0]!

/** Without what to try. */
function faultsIn(text: string): readonly string[] {
  try {
    read(text)
    return []
  } catch (error) {
    expect(error).toMatchObject({code: 'USAGE', exitCode: 2})
    return (error as Error).message.split('\n')
  }
}

describe('a bucket of the file', () => {
  it('has a name, a description, a retention and the length of its shards', () => {
    expect(one('"name": "Water", "description": "litres", "retention": "30d", "shardDuration": "1d"')).toEqual({
      name: 'Water',
      description: 'litres',
      retentionSeconds: 30 * DAY,
      shardSeconds: DAY,
    })
  })

  it.each(['"name": "Water"', '"name": "Water", "description": null, "retention": null, "shardDuration": null'])(
    'needs no more than a name, and is kept for ever: %s',
    (members) => {
      expect(one(members)).toEqual({name: 'Water', description: undefined, retentionSeconds: 0, shardSeconds: undefined})
    },
  )

  it.each<[retention: string, seconds: number]>([
    ['"30d"', 30 * DAY],
    ['"1w"', 7 * DAY],
    ['" 12h "', 12 * HOUR],
    ['"1.1h"', 3960],
    ['"1h30m"', 1.5 * HOUR],
    ['"7200"', 7200],
    ['7200', 7200],
    ['"0"', 0],
    ['0', 0],
    ['"0s"', 0],
    ['"1h"', HOUR],
    ['"106751d23h47m16s"', 9_223_372_036],
  ])('is kept for %s', (retention, seconds) => {
    expect(one(`"name": "a", "retention": ${retention}`).retentionSeconds).toBe(seconds)
  })

  it.each(['0', '"0"'])('with shards of %s leaves their length to the server', (shard) => {
    expect(one(`"name": "a", "shardDuration": ${shard}`).shardSeconds).toBeUndefined()
  })

  it('may have a shard as long as its data is kept', () => {
    expect(one('"name": "a", "retention": "1h", "shardDuration": "1h"').shardSeconds).toBe(HOUR)
  })

  it('has an empty description where the file says so, which is not the same as none', () => {
    expect(one('"name": "a", "description": ""').description).toBe('')
  })

  it.each(['Power Consumption', 'WeatherAPI', 'Sensors (Testing) [2] {3}', 'Füllstand', '日本', "it's", 'a/b\\c', '%41&x=1#', '😀'])(
    'may be called %s',
    (name) => {
      const {buckets, notices} = read(JSON.stringify([{name}]))
      expect({name: buckets[0]!.name, notices}).toEqual({name, notices: []})
    },
  )
})

describe('a file', () => {
  it('may list no bucket', () => {
    expect(read('[]')).toEqual({buckets: [], notices: []})
  })

  it('keeps its order, and tells capitals apart', () => {
    expect(read('[{"name":"b"},{"name":"a"},{"name":"B"}]').buckets.map(({name}) => name)).toEqual(['b', 'a', 'B'])
  })

  it('may begin with a byte order mark, and end its lines as Windows does', () => {
    const path = join(temporaryFolder(), 'b.json')
    writeFileSync(path, '\uFEFF[\r\n{"name": "a"},\r\n{"name": ""}\r\n]')
    return expect(readBucketFile(path)).rejects.toThrow(`${path}:3:10: the name is empty`)
  })

  it('has to be there', async () => {
    const path = join(temporaryFolder(), 'none.json')
    await expect(readBucketFile(path)).rejects.toMatchObject({
      exitCode: 2,
      message: `there is no file ${path}`,
      suggestion: 'Check the argument FILE',
    })
  })

  it('in another encoding is refused, for its names would be others', async () => {
    const path = join(temporaryFolder(), 'b.json')
    writeFileSync(path, Buffer.from('[{"name": "Füllstand"}]', 'latin1'))
    await expect(readBucketFile(path)).rejects.toThrow(`${path}:1:13: this is not UTF-8: save the file in that encoding`)
  })
})

describe('a fault', () => {
  it.each<[text: string, ...faults: string[]]>([
    ['', '1:1: expected a value, but the text ends here'],
    ['{"name": "a"}', '1:1: expected a list of buckets: [{"name": …}, …]'],
    ['"a"', '1:1: expected a list of buckets: [{"name": …}, …]'],
    ['[\n  {"name": "a"}\n  {"name": "b"}\n]', '3:3: expected , or ]'],
    ['[{"name": "a",}]', '1:15: expected a key in double quotes'],
    ['["a", 1]', '1:2: expected a bucket: {"name": …}', '1:7: expected a bucket: {"name": …}'],
    ['[{}]', '1:2: this bucket has no "name"'],
    ['[{"description": "a"}]', '1:2: this bucket has no "name"'],
    ['[{"name": null}]', '1:2: this bucket has no "name"'],
    ['[{"name": 7}]', '1:11: expected a text in quotes'],
    ['[{"name": {"a": 1}}]', '1:11: expected a text in quotes'],
    ['[{"name": ""}]', '1:11: the name is empty'],
    ['[{"name": " "}]', '1:11: the name is empty'],
    ['[{"name": "_x"}]', '1:11: no name can begin with "_": such buckets are the server\'s own'],
    ['[{"name": "a\\"b"}]', "1:11: no name can hold a '\"'"],
    ['[{"name": "a", "description": ["x"]}]', '1:31: expected a text in quotes'],
    ['[{"name": "a", "retenton": "30d"}]', '1:16: "retenton" is no key of a bucket; did you mean "retention"?'],
    ['[{"name": "a", "shard_duration": "1d"}]', '1:16: "shard_duration" is no key of a bucket; did you mean "shardDuration"?'],
    ['[{"name": "a", "owner": "b"}]', '1:16: "owner" is no key of a bucket'],
    ['[{"name": "a", "name": "b"}]', '1:16: "name" stands here a second time'],
    ['[{"name": "a", "retention": "a month"}]', '1:29: expected a duration in quotes, such as "12h" or "30d"'],
    ['[{"name": "a", "retention": "-1d"}]', '1:29: expected a duration in quotes, such as "12h" or "30d"'],
    ['[{"name": "a", "retention": -3600}]', '1:29: expected a duration in quotes, such as "12h" or "30d"'],
    ['[{"name": "a", "retention": true}]', '1:29: expected a duration in quotes, such as "12h" or "30d"'],
    ['[{"name": "a", "retention": ""}]', '1:29: expected a duration in quotes, such as "12h" or "30d"'],
    ['[{"name": "a", "retention": ["1d"]}]', '1:29: expected a duration in quotes, such as "12h" or "30d"'],
    ['[{"name": "a", "retention": "3600500ms"}]', '1:29: expected whole seconds'],
    ['[{"name": "a", "retention": "59m"}]', '1:29: a bucket keeps its data for at least 1h and at most 106751d, or for ever with 0'],
    ['[{"name": "a", "retention": 9223372037}]', '1:29: a bucket keeps its data for at least 1h and at most 106751d, or for ever with 0'],
    ['[{"name": "a", "shardDuration": "30m"}]', '1:33: a shard lasts at least 1h and at most 106751d; 0 leaves it to the server'],
    ['[{"name": "a", "shardDuration": "7d", "retention": "36h"}]', '1:33: a shard of 7d is longer than the data is kept, 1d12h'],
    ['[\n{"name": "a"},\n{"name": "b"},\n{"name": "a"}]', '4:10: the bucket "a" stands here a second time, first in line 2'],
  ])('in %s is told where it is', (text, ...faults) => {
    expect(faultsIn(text)).toEqual(faults.map((fault) => `b.json:${fault}`))
  })

  it('is not the only one that is told, and they come in the order of the file', () => {
    const text = '[\n  {"name": "_a", "retention": "1s", "x": 1},\n  {"name": "b"},\n  7\n]'
    expect(faultsIn(text).map((fault) => fault.split(':').slice(1, 3).join(':'))).toEqual(['2:12', '2:31', '2:37', '4:3'])
  })

  it('that comes over and over is told twenty times', () => {
    const faults = faultsIn(`[${Array.from({length: 250}, () => '1').join(',\n')}]`)
    expect(faults).toHaveLength(21)
    expect(faults.at(-1)).toBe('and 230 more')
  })

  it('does not put what steers a terminal on the terminal', () => {
    expect(faultsIn('[{"name": "a", "\\u001b[2J": 1}, {"name": "\\u001bx"}, {"name": "\\u001bx"}]').join()).not.toContain('\u001b')
  })
})

describe('a notice', () => {
  it.each<[text: string, ...notices: string[]]>([
    ['[{"name": " Water"}]', '1:11: the name " Water" has white space around it'],
    ['[{"name": "Water\\t"}]', '1:11: the name "Water\\t" has white space around it'],
    ['[{"name": "Water"},\n{"name": "Water "}]', '2:10: the name "Water " differs from the one in line 1 by white space alone'],
    [
      '[{"name": "Water "},\n{"name": "Water"}]',
      '1:11: the name "Water " has white space around it',
      '2:10: the name "Water" differs from the one in line 1 by white space alone',
    ],
    ['[{"name": "0db7ae40c03a878e"}]', '1:11: the name "0db7ae40c03a878e" looks like the id of a bucket, for which a server may take it'],
  ])('is given for a name that is allowed and easily mistaken: %s', (text, ...notices) => {
    expect(read(text).notices).toEqual(notices.map((notice) => `b.json:${notice}`))
  })
})

describe('the text of a file', () => {
  it('is JSON as a person would write it', () => {
    const buckets = [
      {name: 'Power Consumption', description: 'W', retentionSeconds: 30 * DAY, shardSeconds: DAY},
      {name: 'Füllstand', description: '', retentionSeconds: 0, shardSeconds: 7 * DAY},
    ]
    expect(formatBucketFile(buckets)).toBe(`[
  {
    "name": "Power Consumption",
    "description": "W",
    "retention": "30d",
    "shardDuration": "1d"
  },
  {
    "name": "Füllstand",
    "description": "",
    "shardDuration": "7d"
  }
]
`)
    expect(formatBucketFile([])).toBe('[]\n')
  })

  it.each([
    {name: 'a', description: 'two\nlines, "quoted" \\ \u001b', retentionSeconds: 3661, shardSeconds: HOUR},
    {name: ' a\t', description: '\uFFFD', retentionSeconds: 0, shardSeconds: undefined},
    {name: '0db7ae40c03a878e', description: '日本 😀', retentionSeconds: 9_223_372_036, shardSeconds: 9_223_372_036},
  ])('says the same when it is read: %j', (bucket) => {
    expect(read(formatBucketFile([bucket])).buckets).toEqual([bucket])
  })

  it('leaves out a length of shards that no new bucket can have', () => {
    const bucket = {name: 'a', description: '', retentionSeconds: HOUR, shardSeconds: HOUR / 2}
    expect(read(formatBucketFile([bucket])).buckets).toEqual([{...bucket, shardSeconds: undefined}])
  })
})
