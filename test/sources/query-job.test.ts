import {describe, expect, it} from 'vitest'
import type {JobOptions} from '../../src/lib/sources/query-job.ts'
import {IoError} from '../../src/lib/errors.ts'
import {openQueryJob} from '../../src/lib/sources/query-job.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {memoryCheckpoint} from '../fakes/memory-checkpoint.ts'
import {fakeServer} from '../fakes/prometheus-server.ts'
import {settled} from './kafka-reader.ts'

const timetable = {next: (after: number) => after + 10, stepMilliseconds: 10}
const diskFull = () => new IoError('disk full')

/** Saves that last until the test ends them. */
function slowSaves() {
  const saves: {readonly cursor: string; end(failure?: Error): void}[] = []
  const onSave = (_: string, cursor: string) =>
    new Promise<void>((resolve, reject) => saves.push({cursor, end: (failure) => (failure ? reject(failure) : resolve())}))
  return {saves, onSave}
}

async function openJob(options: Partial<JobOptions> = {}, onSave?: (key: string, cursor: string) => void | Promise<void>) {
  const memory = memoryCheckpoint(onSave)
  const {log, events} = rememberingLogger()
  const job = await openQueryJob({
    server: {name: undefined, client: fakeServer().client},
    query: {name: undefined, expression: 'rate(a[5m])'},
    timetable,
    cursor: {checkpoint: memory.checkpoint, key: 'a key'},
    begin: undefined,
    log,
    ...options,
  })
  return {job, events, cursors: memory.cursors}
}

const untilOf = (cursor: string | undefined) => cursor && (JSON.parse(cursor) as {until: number}).until

describe('a query', () => {
  const client = fakeServer().client

  it.each([
    {query: {name: undefined, expression: 'up'}, server: undefined, label: 'up'},
    {query: {name: 'cpu', expression: 'rate(a[5m])'}, server: undefined, label: 'cpu'},
    {query: {name: 'cpu', expression: 'rate(a[5m])'}, server: 'north', label: 'north: cpu'},
  ])('is called $label, with its server where there are several', async ({query, server: name, label}) => {
    const {job} = await openJob({query, server: {name, client}})
    expect(job).toMatchObject({label, partition: `${label}/0`})
  })

  it('goes on where its cursor is, and not where one without a cursor begins', async () => {
    const [cursor, begin] = ['{"until":100,"gaps":[[40,70]]}', '{"until":5,"gaps":[]}']
    const {checkpoint} = memoryCheckpoint()
    const fresh = await openJob({cursor: {checkpoint, key: 'k'}, begin})
    expect(fresh.job.progress.accountedUntil()).toBe(5)
    await checkpoint.save('k', cursor)
    const resumed = await openJob({cursor: {checkpoint, key: 'k'}, begin})
    expect(resumed.job.progress.cursor()).toBe(cursor)
  })

  it('is resumed where a run before has left a cursor', async () => {
    const {checkpoint} = memoryCheckpoint()
    const open = async () => (await openJob({cursor: {checkpoint, key: 'k'}, begin: '{"until":5,"gaps":[]}'})).job
    expect((await open()).isResumed).toBe(false)
    await checkpoint.save('k', '{"until":9,"gaps":[]}')
    expect((await open()).isResumed).toBe(true)
  })

  it('is new where nothing tells how far it has come', async () => {
    expect((await openJob()).job.isNew).toBe(true)
    expect((await openJob({begin: '{"until":5,"gaps":[]}'})).job.isNew).toBe(false)
  })

  it.each(['', 'null', '[]', '{"until":"yesterday","gaps":[]}', '{"until":5}', '{"until":5,"gaps":[[1]]}'])(
    'cannot be opened with a cursor of %j, and says what to do',
    async (cursor) => {
      const {checkpoint} = memoryCheckpoint()
      await checkpoint.save('k', cursor)
      const opening = openJob({cursor: {checkpoint, key: 'k'}})
      await expect(opening).rejects.toThrow(IoError)
      await expect(opening).rejects.toMatchObject({
        message: expect.stringContaining('cursor of k') as string,
        suggestion: expect.stringContaining('--state-dir') as string,
      })
    },
  )

  it('cannot be opened when its cursor cannot be read', async () => {
    const checkpoint = {load: () => Promise.reject(diskFull()), save: async () => {}}
    await expect(openJob({cursor: {checkpoint, key: 'k'}})).rejects.toThrow('disk full')
  })
})

describe('a moment', () => {
  const begun = async () => {
    const {job} = await openJob()
    job.progress.begin(0)
    return {...job, gaps: () => (JSON.parse(job.progress.cursor()!) as {gaps: unknown}).gaps}
  }

  it('is on its way until it is settled or missed', async () => {
    const job = await begun()
    for (const moment of [10, 20, 30]) job.asked(moment)
    expect([job.onTheirWay(), job.missing()]).toEqual([3, 0])
    job.settled(10)
    job.missed(20)
    expect([job.onTheirWay(), job.missing()]).toEqual([1, 1])
    job.settled(30)
    expect([job.onTheirWay(), job.missing()]).toEqual([0, 1])
    expect(job.gaps()).toEqual([[10, 30]])
  })

  it('that was missed is a gap at once where nothing is on its way', async () => {
    const job = await begun()
    job.asked(10)
    job.missed(10)
    expect(job.gaps()).toEqual([[0, 11]])
    expect(job.missing()).toBe(1)
  })

  it('that was missed is a gap only when all that was on its way has come to an end, and that is no part of it', async () => {
    const job = await begun()
    job.asked(10)
    job.missed(20)
    job.missed(30)
    expect(job.gaps()).toEqual([])
    expect(job.missing()).toBe(2)
    job.settled(10)
    expect(job.gaps()).toEqual([[10, 31]])
  })

  it('that was missed between two is a gap when the second is settled, though a third is on its way', async () => {
    const job = await begun()
    for (const moment of [10, 30, 50, 70]) job.asked(moment)
    for (const moment of [20, 40]) job.missed(moment)
    job.settled(10)
    job.settled(30)
    expect(job.gaps()).toEqual([[10, 30]])
    job.settled(50)
    expect(job.gaps()).toEqual([
      [10, 30],
      [30, 50],
    ])
    expect(job.missing()).toBe(2)
  })

  it('that failed is a gap together with those that were missed meanwhile', async () => {
    const job = await begun()
    job.asked(10)
    job.missed(20)
    job.missed(10)
    expect(job.gaps()).toEqual([[0, 21]])
  })
})

describe('a cursor', () => {
  it('is saved one at a time, and the last of many that were put off is the next one', async () => {
    const {saves, onSave} = slowSaves()
    const {job, cursors} = await openJob({}, onSave)
    for (const moment of [10, 20, 30]) {
      job.progress.settle(moment)
      job.save()
    }

    expect(saves.map(({cursor}) => untilOf(cursor))).toEqual([10])
    saves[0]!.end()
    await settled()
    expect(saves.map(({cursor}) => untilOf(cursor))).toEqual([10, 30])
    saves[1]!.end()
    await job.flush()
    expect(saves).toHaveLength(2)
    expect(untilOf(cursors.get('a key'))).toBe(30)
  })

  it.each([0, 1, 2, 3, 4, 5])('is saved also when it moves just as the save before ends (%i turns later)', async (turns) => {
    const {saves, onSave} = slowSaves()
    const {job, cursors} = await openJob({}, onSave)
    job.progress.settle(10)
    job.save()
    saves[0]!.end()
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    job.progress.settle(20)
    job.save()
    const flushing = job.flush().then(() => 'flushed')
    expect(await Promise.race([flushing, settled('not yet')])).toBe('not yet')
    saves[1]!.end()
    await flushing
    expect(untilOf(cursors.get('a key'))).toBe(20)
  })

  it('is durable when it is flushed, and not before', async () => {
    const {saves, onSave} = slowSaves()
    const {job} = await openJob({}, onSave)
    job.progress.settle(10)
    job.save()
    const flushing = job.flush().then(() => 'flushed')
    expect(await Promise.race([flushing, settled('not yet')])).toBe('not yet')
    saves[0]!.end()
    expect(await flushing).toBe('flushed')
  })

  it('that cannot be saved is told, and tried again by the next save', async () => {
    let failures = 1
    const {job, events, cursors} = await openJob({}, () => {
      if (failures-- > 0) throw diskFull()
    })
    job.progress.settle(10)
    job.save()
    await settled()
    expect(events).toEqual([['warn', 'cursor.unsaved', {query: 'rate(a[5m])', message: 'disk full'}]])
    job.progress.settle(20)
    job.save()
    await job.flush()
    expect(untilOf(cursors.get('a key'))).toBe(20)
  })

  it('that cannot be saved is told once, until it was saved', async () => {
    let isFull = true
    const {job, events} = await openJob({}, () => {
      if (isFull) throw diskFull()
    })
    const save = async (moment: number) => {
      job.settled(moment)
      await job.flush().catch(() => {})
    }
    await save(10)
    await save(20)
    isFull = false
    await save(30)
    isFull = true
    expect(events).toHaveLength(1)
    await save(40)
    expect(events).toHaveLength(2)
  })

  it('that could not be saved is tried again by a flush, which rejects when that fails as well', async () => {
    let failures = 2
    const {job, cursors} = await openJob({}, () => {
      if (failures-- > 0) throw diskFull()
    })
    job.progress.settle(10)
    job.save()
    await settled()
    await expect(job.flush()).rejects.toThrow(IoError)
    await job.flush()
    expect(untilOf(cursors.get('a key'))).toBe(10)
  })

  it('of what has not begun is not saved, and one that follows is', async () => {
    const {job, cursors} = await openJob()
    job.save()
    await job.flush()
    expect(cursors.size).toBe(0)
    job.progress.begin(10)
    job.save()
    await job.flush()
    expect(untilOf(cursors.get('a key'))).toBe(10)
  })

  it('is kept nowhere where there is no place for it', async () => {
    const {job, cursors} = await openJob({cursor: undefined})
    job.progress.settle(10)
    job.save()
    await job.flush()
    expect(cursors.size).toBe(0)
  })
})
