import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, onTestFinished, test} from 'vitest'
import {createHttpClient} from '../../src/lib/clients/http.ts'
import {createBucketsClient} from '../../src/lib/clients/influx-buckets.ts'
import {startUcs, temporaryFolder, ucs} from '../commands/cli.ts'
import {startHttpProxy} from '../services/http-proxy.ts'
import {answerWith, hang, tearAfterWrite} from '../services/http-treatments.ts'
import {describeWith, useInflux} from '../services/use.ts'
import {newOrg, type Org} from './influx-org.ts'

const DAY = 86_400
/** Those of the seed. */
const SEED = ['Power Consumption', 'Growlight_Brightness', 'Temperature', 'Humidity', 'WeatherAPI', 'CO2', 'Water']
const ODD = [
  'Sensors (Testing)',
  'a [1] {2} <3>',
  'Füllstand ß',
  '日本 😀',
  "it's 100%",
  'a/b?c=d&e#f',
  '\\',
  ' spaced ',
  '0db7ae40c03a878e',
]

const bucketsOf = (names: readonly string[]) => names.map((name) => ({name, description: `what ${name} is`}))
const namesOf = (buckets: readonly {readonly name: string}[]) => buckets.map(({name}) => name)

function folderWith(buckets: unknown, file = 'buckets.json'): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, file), JSON.stringify(buckets, undefined, 2))
  return cwd
}

/** The one object of a run with --json. */
async function create(org: Pick<Org, 'env'>, buckets: unknown, ...args: readonly string[]) {
  const {code, json} = await ucs(['buckets', 'create', ...args, '--json'], {cwd: folderWith(buckets), env: org.env})
  const {created, skipped, updated, failed, drift, error} = json()
  return {code, created, skipped, updated, failed, drift, error}
}

describeWith('influx')('buckets create', () => {
  test('makes the buckets of the seed, and the next time leaves them alone', async () => {
    const org = await newOrg()
    const cwd = folderWith(bucketsOf(SEED))
    const first = await ucs(['buckets', 'create'], {cwd, env: org.env})
    expect({code: first.code, stdout: first.stdout}).toEqual({code: 0, stdout: ''})
    expect(first.stderr).toMatch(/^buckets create: created 7 skipped 0$/m)
    expect((await org.buckets()).map(({name, description}) => ({name, description}))).toEqual(bucketsOf([...SEED].sort()))
    const second = await ucs(['buckets', 'create'], {cwd, env: org.env})
    expect(second).toMatchObject({code: 0, stdout: '', stderr: 'buckets create: created 0 skipped 7\n'})
    expect((await ucs(['buckets', 'create', '--quiet'], {cwd, env: org.env})).stderr).toBe('')
  })

  test('lists names for scripts, in the order of the file', async () => {
    const org = await newOrg()
    await org.create('Humidity')
    const outcome = await create(org, bucketsOf(SEED))
    const created = SEED.filter((name) => name !== 'Humidity')
    expect(outcome).toMatchObject({code: 0, created, skipped: ['Humidity'], updated: [], failed: []})
  })

  test('makes names of any kind', async () => {
    const org = await newOrg()
    expect(await create(org, bucketsOf(ODD))).toMatchObject({code: 0, created: ODD, failed: []})
    expect(namesOf(await org.buckets())).toEqual([...ODD].sort())
    expect(await create(org, bucketsOf(ODD), '--update')).toMatchObject({code: 0, created: [], skipped: ODD, updated: []})
  })

  test.each<[retention: string | undefined, shardDuration: string | undefined, seconds: number, shardSeconds: number]>([
    [undefined, undefined, 0, 7 * DAY],
    ['0', '1h', 0, 3600],
    ['30d', undefined, 30 * DAY, DAY],
    ['1h', undefined, 3600, 3600],
    ['1h30m', '1h', 5400, 3600],
    ['52w', '4w', 364 * DAY, 28 * DAY],
    ['106751d23h47m16s', '0', 9_223_372_036, 7 * DAY],
  ])('keeps data for %s in shards of %s', async (retention, shardDuration, seconds, shardSeconds) => {
    const org = await newOrg()
    expect(await create(org, [{name: 'a', retention, shardDuration}])).toMatchObject({code: 0, created: ['a'], failed: []})
    expect((await org.buckets())[0]!.retentionRules).toMatchObject([{everySeconds: seconds, shardGroupDurationSeconds: shardSeconds}])
  })

  test('finds an organisation by its name and by its id, also where another is called as its id is', async () => {
    const org = await newOrg('Grüne Halle (2) & Co.')
    const twin = await newOrg(org.id)
    for (const [name, bucket] of [
      [org.name, 'by name'],
      [org.id, 'by id'],
    ] as const) {
      expect(await create({env: {...org.env, INFLUX_ORG: name}}, [{name: bucket}])).toMatchObject({code: 0, created: [bucket]})
    }

    expect([namesOf(await org.buckets()), await twin.buckets()]).toEqual([['by id', 'by name'], []])
  })

  test('reads standard input', async () => {
    const org = await newOrg()
    const {code} = await ucs(['buckets', 'create', '-'], {env: org.env, input: '[{"name": "a"}]'})
    expect({code, names: namesOf(await org.buckets())}).toEqual({code: 0, names: ['a']})
    const broken = await ucs(['buckets', 'create', '-'], {env: org.env, input: '[\n{"name": "b"},\n{}]'})
    expect(broken).toMatchObject({code: 2, stderr: expect.stringMatching(/^error: stdin:3:1: this bucket has no "name"\n/) as string})
  })

  test('asks the server for nothing while something in the file is wrong', async () => {
    const proxy = await startHttpProxy(useInflux().url)
    const cwd = folderWith([{name: 'a'}, {name: 'b', retention: 'soon'}])
    const {code, stdout, stderr} = await ucs(['buckets', 'create'], {cwd, env: {INFLUX_URL: proxy.url, INFLUX_TOKEN: useInflux().token}})
    await proxy.close()
    expect({code, stdout, requests: proxy.requests}).toEqual({code: 2, stdout: '', requests: []})
    expect(stderr).toMatch(/^error: buckets.json:7:18: expected a duration in quotes, .*\n {2}try: Mend the file; nothing was done\n$/)
  })

  test('tells of what can be mistaken, and does as it is told', async () => {
    const org = await newOrg()
    const {code, stderr} = await ucs(['buckets', 'create', '--log-format', 'pretty'], {cwd: folderWith([{name: 'a '}]), env: org.env})
    expect(code).toBe(0)
    expect(stderr).toMatch(/^warn +bucket\.name: buckets\.json:3:13: the name "a " has white space around it$/m)
    expect(namesOf(await org.buckets())).toEqual(['a '])
  })
})

describeWith('influx')('buckets create, where a bucket differs from the file', () => {
  const wanted = [
    {name: 'kept', description: 'new', retention: '30d'},
    {name: 'longer', retention: '0', shardDuration: '1d'},
    {name: 'shorter', retention: '1h'},
    {name: 'the same'},
    {name: 'missing', retention: '7d'},
  ]
  const rules = (everySeconds: number, shardGroupDurationSeconds: number) => ({
    retentionRules: [{type: 'expire', everySeconds, shardGroupDurationSeconds}],
  })

  async function orgWithOthers(): Promise<Org> {
    const org = await newOrg()
    await org.create('kept', {description: 'old', ...rules(30 * DAY, 3600)})
    await org.create('longer', {description: 'stays', ...rules(3600, 3600)})
    await org.create('shorter')
    await org.create('the same', {description: 'stays'})
    return org
  }

  const shown = async (org: Org) =>
    Object.fromEntries(
      (await org.buckets()).map(({name, description = '', retentionRules: [rule]}) => [
        name,
        [description, rule?.everySeconds, rule?.shardGroupDurationSeconds],
      ]),
    )
  const before = {
    kept: ['old', 30 * DAY, 3600],
    longer: ['stays', 3600, 3600],
    shorter: ['', 0, 7 * DAY],
    'the same': ['stays', 0, 7 * DAY],
  }
  const drift = [
    {name: 'kept', setting: 'description', from: 'old', to: 'new'},
    {name: 'longer', setting: 'retention', from: '1h', to: '0'},
    {name: 'longer', setting: 'shardDuration', from: '1h', to: '1d'},
    {name: 'shorter', setting: 'retention', from: '0', to: '1h'},
    {name: 'shorter', setting: 'shardDuration', from: '7d', to: '1h'},
  ]

  test('leaves it alone and says how', async () => {
    const org = await orgWithOthers()
    const {code, stdout, stderr} = await ucs(['buckets', 'create'], {cwd: folderWith(wanted), env: org.env})
    expect({code, stdout}).toEqual({code: 0, stdout: ''})
    const told =
      'kept (description "old" → "new"), longer (retention 1h → for ever, shardDuration 1h → 1d), shorter (retention for ever → 1h, shardDuration 7d → 1h)'
    expect(stderr).toMatch(/^buckets create: created 1 skipped 4$/m)
    expect(stderr).toContain(`\n3 differ from the file, which --update changes: ${told}\n`)
    expect(await shown(org)).toEqual({...before, missing: ['', 7 * DAY, DAY]})
    expect(await create(org, wanted)).toMatchObject({code: 0, skipped: namesOf(wanted), updated: [], drift})
  })

  test('changes it with --update, and what the file leaves open stays', async () => {
    const org = await orgWithOthers()
    expect(await create(org, wanted, '--update')).toEqual({
      code: 0,
      created: ['missing'],
      skipped: ['the same'],
      updated: ['kept', 'longer', 'shorter'],
      failed: [],
      drift,
      error: undefined,
    })
    const after = {
      kept: ['new', 30 * DAY, 3600],
      longer: ['stays', 0, DAY],
      shorter: ['', 3600, 3600],
      'the same': ['stays', 0, 7 * DAY],
      missing: ['', 7 * DAY, DAY],
    }
    expect(await shown(org)).toEqual(after)
    expect(await create(org, wanted, '--update')).toMatchObject({code: 0, skipped: namesOf(wanted), updated: [], drift: []})
  })

  test('warns where the server will delete data, and takes an empty description for none', async () => {
    const org = await orgWithOthers()
    const cwd = folderWith([
      {name: 'shorter', retention: '2d'},
      {name: 'kept', description: '', retention: '31d'},
    ])
    const {code, stderr} = await ucs(['buckets', 'create', '--update', '--quiet', '--log-format', 'pretty'], {cwd, env: org.env})
    expect(code).toBe(0)
    expect(stderr).toBe('warn  bucket.shortened: from now on the server deletes what is older than the new retention bucket=shorter\n')
    expect(await shown(org)).toMatchObject({kept: ['', 31 * DAY, 3600], shorter: ['', 2 * DAY, DAY]})
  })

  test.each([
    ['', 'would create 1 skip 4 update 0'],
    ['--update', 'would create 1 skip 1 update 3'],
  ])('shows with --dry-run what it would do, and changes nothing: %s', async (flag, summary) => {
    const org = await orgWithOthers()
    const args = ['buckets', 'create', '--dry-run', ...(flag ? [flag] : [])]
    const {code, stdout, stderr} = await ucs(args, {cwd: folderWith(wanted), env: org.env})
    expect({code, stderr}).toEqual({code: 0, stderr: `buckets create: ${summary}\n`})
    const [action, suffix] = flag ? ['update', ''] : ['skip  ', ' with --update']
    expect(stdout.split('\n').slice(0, -1)).toEqual([
      'action  bucket    what',
      `${action}  kept      description "old" → "new"${suffix}`,
      `${action}  longer    retention 1h → for ever, shardDuration 1h → 1d${suffix}`,
      `${action}  shorter   retention for ever → 1h, shardDuration 7d → 1h${suffix}`,
      'skip    the same',
      'create  missing   retention 7d',
    ])
    expect(await shown(org)).toEqual(before)
  })
})

describeWith('influx')('many buckets', () => {
  const MANY = Array.from({length: 250}, (_, index) => `Bucket ${String(index).padStart(3, '0')}`)

  test('are created, listed, exported and left alone, all of them', async () => {
    const org = await newOrg()
    const cwd = folderWith(bucketsOf(MANY))
    expect((await ucs(['buckets', 'create', '--json'], {cwd, env: org.env})).json()).toMatchObject({ok: true, created: MANY, failed: []})
    expect(namesOf(await org.buckets())).toEqual(MANY)

    const listed = (await ucs(['buckets', 'list', '--json'], {env: org.env})).json()['buckets'] as {name: string; type: string}[]
    expect(namesOf(listed.filter(({type}) => type === 'user'))).toEqual(MANY)
    expect(namesOf(listed.filter(({type}) => type === 'system'))).toEqual(['_monitoring', '_tasks'])

    const exported = await ucs(['buckets', 'export', '--output', 'all.json', '--json'], {cwd, env: org.env})
    expect(exported.json()).toMatchObject({ok: true, exported: MANY})
    expect(namesOf(JSON.parse(readFileSync(join(cwd, 'all.json'), 'utf8')) as {name: string}[])).toEqual(MANY)
    const again = (await ucs(['buckets', 'create', 'all.json', '--update', '--json'], {cwd, env: org.env})).json()
    expect(again).toMatchObject({ok: true, created: [], skipped: MANY, updated: [], drift: []})
  })

  test('are made once by two runs at once, and neither of them fails', async () => {
    const org = await newOrg()
    const cwd = folderWith(bucketsOf(MANY))
    const runs = await Promise.all([1, 2].map(() => ucs(['buckets', 'create', '--update', '--json'], {cwd, env: org.env})))
    const results = runs.map((run) => run.json() as unknown as Record<'created' | 'skipped' | 'updated' | 'failed', string[]>)
    expect(runs.map(({code}) => code)).toEqual([0, 0])
    for (const {created, skipped, updated, failed} of results) {
      expect([...created, ...skipped].sort()).toEqual(MANY)
      expect([updated, failed]).toEqual([[], []])
    }

    expect(results.flatMap(({created}) => created).sort()).toEqual(MANY)
    expect(namesOf(await org.buckets())).toEqual(MANY)
  })

  test('of which a token may read some only are found behind pages that are empty to it', async () => {
    const org = await newOrg()
    await create(org, bucketsOf(MANY))
    const last = (await org.buckets()).at(-1)!
    const token = await org.token({action: 'read', resource: {type: 'buckets', id: last.id}})
    const listed = (await ucs(['buckets', 'list', '--json'], {env: {...org.env, INFLUX_TOKEN: token}})).json()['buckets']
    expect(listed).toMatchObject([{name: 'Bucket 249'}])
  })
})

describeWith('influx')('one bucket', () => {
  async function client(token = useInflux().token) {
    const baseUrl = new URL(useInflux().url)
    const http = createHttpClient({baseUrl, timeoutMilliseconds: 10_000, remedy: 'Is the server running?', caFlag: '--influx-ca'})
    onTestFinished(() => http.close())
    return createBucketsClient({http, token: async () => token, signal: new AbortController().signal, now: () => 0})
  }

  test('is found by its name in an organisation that has a name or an id', async () => {
    const org = await newOrg()
    const {id} = await org.create('a & b', {retentionRules: [{type: 'expire', everySeconds: 0, shardGroupDurationSeconds: 7200}]})
    for (const whose of [{org: org.name}, {orgID: org.id}])
      expect(await (await client()).named(whose, 'a & b')).toMatchObject({id, name: 'a & b', shardSeconds: 7200})
  })

  test('that is missing, or of a missing organisation, is not found', async () => {
    const {name} = await newOrg()
    expect(await (await client()).named({org: name}, 'absent')).toBeUndefined()
    expect(await (await client()).named({org: 'absent'}, 'first')).toBeUndefined()
  })

  test('cannot be looked for with a wrong token', async () => {
    await expect((await client('wrong')).named({org: useInflux().org}, 'first')).rejects.toMatchObject({code: 'AUTH'})
  })
})

describeWith('influx')('buckets list', () => {
  test('prints a table by name, with the buckets of the server itself', async () => {
    const org = await newOrg()
    await create(org, [{name: 'b', description: 'two\nlines', retention: '30d'}, {name: 'A c'}])
    const {code, stdout, stderr} = await ucs(['buckets', 'list'], {env: org.env})
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    expect(stdout.replaceAll(/[\da-f]{16}/g, 'id')).toBe(
      `name         retention  shards  type    ${'id'.padEnd(16)}  description
A c          for ever   7d      user    id
_monitoring  7d         1d      system  id  System bucket for monitoring logs
_tasks       3d         1d      system  id  System bucket for task logs
b            30d        1d      user    id  two\\nlines
`,
    )
  })

  test('prints for scripts what the file would say, and the id', async () => {
    const org = await newOrg()
    const {id} = await org.create('b', {description: 'x'})
    const {stdout, json} = await ucs(['buckets', 'list', '--json'], {env: org.env})
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect((json()['buckets'] as object[]).at(-1)).toEqual({
      id,
      name: 'b',
      type: 'user',
      description: 'x',
      retention: '0',
      shardDuration: '7d',
    })
  })
})

describeWith('influx')('buckets export', () => {
  test('prints what makes the same buckets elsewhere, down a pipe', async () => {
    const [org, other] = [await newOrg(), await newOrg()]
    const buckets = [
      ...ODD.map((name) => ({name, description: `${name}\n"quoted"`, retention: '30d', shardDuration: '12h'})),
      {name: 'for ever', description: ''},
    ]
    await create(org, buckets)
    const {code, stdout, stderr} = await ucs(['buckets', 'export'], {env: org.env})
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    expect(JSON.parse(stdout)).toHaveLength(buckets.length)
    const made = await ucs(['buckets', 'create', '-', '--json'], {env: other.env, input: stdout})
    expect(made.json()).toMatchObject({ok: true, created: namesOf(JSON.parse(stdout) as {name: string}[])})
    const comparable = async ({buckets: all}: Org) =>
      (await all()).map(({name, description, retentionRules}) => ({name, description, retentionRules}))
    expect(await comparable(other)).toEqual(await comparable(org))
    expect((await ucs(['buckets', 'export'], {env: other.env})).stdout).toBe(stdout)
  })

  test('writes a file instead, and says so', async () => {
    const org = await newOrg()
    await org.create('a')
    const cwd = temporaryFolder()
    const {code, stdout, stderr} = await ucs(['buckets', 'export', '--output', 'b.json'], {cwd, env: org.env})
    expect({code, stdout, stderr}).toEqual({code: 0, stdout: '', stderr: 'buckets export: wrote 1 buckets to b.json\n'})
    expect(JSON.parse(readFileSync(join(cwd, 'b.json'), 'utf8'))).toEqual([{name: 'a', description: '', shardDuration: '7d'}])
  })

  test('of no bucket is an empty list', async () => {
    const org = await newOrg()
    expect((await ucs(['buckets', 'export'], {env: org.env})).stdout).toBe('[]\n')
  })
})

describeWith('influx')('what a token lacks', () => {
  test('to read the organisation is made up for by its id, and a bucket may be created unread', async () => {
    const org = await newOrg()
    await org.create('there')
    const token = await org.token({action: 'write', resource: {type: 'buckets'}})
    const byName = await create({env: {...org.env, INFLUX_TOKEN: token}}, [{name: 'a'}])
    expect(byName).toMatchObject({
      code: 77,
      error: {code: 'AUTH', suggestion: 'Give the token the permission to read it, or name the organisation by its id'},
    })
    const env = {...org.env, INFLUX_TOKEN: token, INFLUX_ORG: org.id}
    expect(await create({env}, [{name: 'a'}, {name: 'there'}])).toMatchObject({code: 0, created: ['a'], skipped: ['there']})
    expect(await create({env}, [{name: 'there', retention: '1d'}], '--update')).toMatchObject({code: 3, failed: [{name: 'there'}]})
  })

  test('to create buckets is named, and ends the run', async () => {
    const org = await newOrg()
    await org.create('there')
    const token = await org.token({action: 'read', resource: {type: 'buckets'}})
    const env = {...org.env, INFLUX_TOKEN: token}
    expect(await create({env}, [{name: 'there'}, {name: 'a'}, {name: 'b'}])).toMatchObject({
      code: 77,
      skipped: ['there'],
      created: [],
      failed: [],
      error: {code: 'AUTH', suggestion: `Give the token in --token or INFLUX_TOKEN the permission write:orgs/${org.id}/buckets`},
    })
    expect((await ucs(['buckets', 'list'], {env})).code).toBe(0)
  })

  test.each([['create'], ['list'], ['export']])('to be one at all ends buckets %s with 77', async (command) => {
    const {env} = await newOrg()
    const {code, stdout, stderr} = await ucs(['buckets', command], {cwd: folderWith([{name: 'a'}]), env: {...env, INFLUX_TOKEN: 'wrong'}})
    expect({code, stdout}).toEqual({code: 77, stdout: ''})
    expect(stderr).toMatch(/answered 401: unauthorized access\n {2}try: Check --token, --token-file or INFLUX_TOKEN\n$/)
  })

  test.each([
    ['create', 'nowhere'],
    ['list', 'nowhere'],
    ['export', '0db7ae40c03a878e'],
  ])('or an organisation that is missing ends buckets %s with 69: %s', async (command, INFLUX_ORG) => {
    const {env} = await newOrg()
    const {code, stderr} = await ucs(['buckets', command], {cwd: folderWith([{name: 'a'}]), env: {...env, INFLUX_ORG}})
    expect(code).toBe(69)
    expect(stderr).toMatch(new RegExp(`organization name "${INFLUX_ORG}" not found\\n {2}try: Check --influx-org or INFLUX_ORG\\n$`))
  })
})

describeWith('influx')('a fault between the command and the server', () => {
  const isCreation = ({method}: {method: string}) => method === 'POST'
  const nameIn = ({text}: {text: string}) => (JSON.parse(text) as {name: string}).name

  async function scene() {
    const org = await newOrg()
    const proxy = await startHttpProxy(useInflux().url)
    return {org, proxy, env: {...org.env, INFLUX_URL: proxy.url}}
  }

  test('is waited out: a server that starts, and an answer that gets lost', async () => {
    const {org, proxy, env} = await scene()
    const treatments = [answerWith(503, '{"status":"starting"}'), undefined, undefined]
    let isLost = false
    proxy.setTreatment((request) => {
      if (treatments.length > 0) return treatments.shift()
      if (!isCreation(request) || nameIn(request) !== 'b' || isLost) return undefined
      isLost = true
      return tearAfterWrite
    })
    expect(await create({env}, bucketsOf(['a', 'b', 'c']))).toMatchObject({code: 0, created: ['a', 'c'], skipped: ['b'], failed: []})
    expect(namesOf(await org.buckets())).toEqual(['a', 'b', 'c'])
    await proxy.close()
  })

  test('in one bucket alone fails that one, and the run ends with 3', async () => {
    const {org, proxy, env} = await scene()
    proxy.setTreatment((request) => {
      if (isCreation(request) && nameIn(request) === 'b') return answerWith(500, '{"code":"internal error","message":"no"}')
      return undefined
    })
    const cwd = folderWith(bucketsOf(['a', 'b', 'c']))
    const {code, stdout, stderr} = await ucs(['buckets', 'create'], {cwd, env})
    expect({code, stdout}).toEqual({code: 3, stdout: ''})
    expect(stderr).toMatch(/^created 2 skipped 0 failed 1$/m)
    expect(stderr).toMatch(/^error: 1 of 3 buckets failed: b: http:\S+ answered 500: no$/m)
    expect(namesOf(await org.buckets())).toEqual(['a', 'c'])
    expect(await create({env}, bucketsOf(['a', 'b', 'c']))).toMatchObject({
      code: 3,
      skipped: ['a', 'c'],
      failed: [{name: 'b', message: expect.stringContaining('answered 500: no') as string}],
      error: {code: 'PARTIAL'},
    })
    await proxy.close()
  })

  test('is found in a bucket that the server says it has made', async () => {
    const {proxy, env} = await scene()
    proxy.setTreatment((request) =>
      isCreation(request) ? answerWith(201, '{"id":"000000000000000a","name":"a","retentionRules":[]}') : undefined,
    )
    expect(await create({env}, [{name: 'a'}])).toMatchObject({
      code: 3,
      created: [],
      failed: [{name: 'a', message: 'the server said that it is done, and has no such bucket'}],
    })
    await proxy.close()
  })

  test('that lasts ends the run with 69, and what was done is told', async () => {
    const {proxy, env} = await scene()
    proxy.setTreatment((request) => (isCreation(request) && nameIn(request) === 'b' ? answerWith(503) : undefined))
    const outcome = await create({env}, bucketsOf(['a', 'b', 'c']), '--retry-for', '1s')
    expect(outcome).toMatchObject({code: 69, created: ['a'], skipped: [], failed: [], error: {code: 'UNAVAILABLE'}})
    await proxy.close()
  })

  test('in which nothing answers ends with --influx-timeout', async () => {
    const {proxy, env} = await scene()
    proxy.setTreatment(() => hang)
    const {code, stderr} = await ucs(['buckets', 'list', '--influx-timeout', '200ms', '--retry-for', '0'], {env})
    expect({code, stderr}).toEqual({code: 69, stderr: expect.stringMatching(/\/api\/v2\/orgs took longer than 0\.2 s\n/) as string})
    await proxy.close()
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'is no reason to ignore %s: the run ends with 130 and tells how far it came',
    async (signal) => {
      const {org, proxy, env} = await scene()
      const asked = Promise.withResolvers<unknown>()
      proxy.setTreatment((request) => {
        if (!isCreation(request) || nameIn(request) !== 'b') return undefined
        asked.resolve(undefined)
        return hang
      })
      const {child, result} = startUcs(['buckets', 'create', '--json'], {cwd: folderWith(bucketsOf(['a', 'b', 'c'])), env})
      await asked.promise
      child.kill(signal)
      const {code, json} = await result
      expect({code, ...json()}).toMatchObject({code: 130, created: ['a'], error: {code: 'INTERRUPTED', message: `stopped by ${signal}`}})
      expect(namesOf(await org.buckets())).toEqual(['a'])
      await proxy.close()
    },
  )
})

describe('buckets', () => {
  test('is a topic, and lists its commands', async () => {
    const {code, stdout} = await ucs(['buckets'])
    expect(code).toBe(0)
    for (const command of ['create', 'list', 'export']) expect(stdout).toContain(`buckets ${command}`)
  })
})
