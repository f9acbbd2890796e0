import type {ChildProcess} from 'node:child_process'
import {fork} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {describe, expect, it, onTestFinished} from 'vitest'
import {acquireLock} from '../../src/lib/runtime/lock.ts'
import {temporaryFolder} from '../commands/cli.ts'

const CONTENDER = fileURLToPath(new URL('lock-contender.ts', import.meta.url))
/** No process has a pid as large as this. */
const GONE = {pid: 2 ** 30, began: '1', host: hostname()}

const lockPath = () => join(temporaryFolder(), 'job.lock')

async function startContender(): Promise<ChildProcess> {
  const child = fork(CONTENDER, {execArgv: []})
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

/** "held", or the code of the error. */
async function contend(child: ChildProcess, path: string): Promise<string> {
  const answer = once(child, 'message')
  child.send(path)
  return (await answer)[0] as string
}

describe('acquireLock', () => {
  it('refuses a second holder, names the first and its lock, and lets in the next after its release', async () => {
    const path = lockPath()
    const lock = await acquireLock(path)
    await expect(acquireLock(path)).rejects.toMatchObject({
      code: 'LOCKED',
      exitCode: 75,
      message: `${path} is held by process ${process.pid} on ${hostname()}`,
    })
    await lock.release()
    await (await acquireLock(path)).release()
    expect(existsSync(path)).toBe(false)
  })

  it('refuses a lock that a living process of the machine holds', async () => {
    const path = lockPath()
    const child = await startContender()
    expect(await contend(child, path)).toBe('held')
    await expect(acquireLock(path)).rejects.toThrow(`is held by process ${child.pid}`)
  })

  it('takes over from a process that was killed', async () => {
    const path = lockPath()
    const child = await startContender()
    expect(await contend(child, path)).toBe('held')
    child.kill('SIGKILL')
    await once(child, 'exit')
    await acquireLock(path)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({pid: process.pid})
  })

  it.each([
    ['a process that is gone', JSON.stringify(GONE)],
    ['an earlier process with the pid of this one', JSON.stringify({pid: process.pid, began: '1', host: hostname()})],
    ['nobody: a power cut left it empty', ''],
    ['nobody: a power cut left a part', '{"pid":1'],
  ])('takes over from %s', async (_, content) => {
    const path = lockPath()
    writeFileSync(path, content)
    const lock = await acquireLock(path)
    await expect(acquireLock(path)).rejects.toMatchObject({code: 'LOCKED'})
    await lock.release()
    expect(existsSync(path)).toBe(false)
  })

  it('takes over although a process was killed while it did so', async () => {
    const path = lockPath()
    for (const file of [path, `${path}.takeover`]) writeFileSync(file, JSON.stringify(GONE))
    await acquireLock(path)
    expect(readdirSync(join(path, '..'))).toEqual(['job.lock'])
  })

  it('never takes over from another host, whose processes it cannot see', async () => {
    const path = lockPath()
    writeFileSync(path, JSON.stringify({...GONE, host: 'elsewhere'}))
    await expect(acquireLock(path)).rejects.toThrow(`is held by process ${GONE.pid} on elsewhere`)
  })

  it('leaves alone what it cannot read', async () => {
    const path = lockPath()
    mkdirSync(path)
    await expect(acquireLock(path)).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining(`cannot lock ${path}: EISDIR`) as string,
    })
    expect(readdirSync(join(path, '..'))).toEqual(['job.lock'])
  })

  it('makes the folder, and says so when it cannot', async () => {
    const folder = temporaryFolder()
    await acquireLock(join(folder, 'a/b/job.lock'))
    writeFileSync(join(folder, 'file'), '')
    await expect(acquireLock(join(folder, 'file/job.lock'))).rejects.toMatchObject({code: 'IO', exitCode: 74})
  })

  it('leaves nothing but the lock, which nobody else may read', async () => {
    const path = lockPath()
    await acquireLock(path)
    await acquireLock(path).catch(() => {})
    expect(readdirSync(join(path, '..'))).toEqual(['job.lock'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })
})

describe('processes that race', () => {
  it.each([
    ['a free lock', undefined],
    ['the lock of a process that is gone', JSON.stringify(GONE)],
  ])('for %s are let in one at a time', async (_, content) => {
    const path = lockPath()
    const contenders = await Promise.all(Array.from({length: 4}, startContender))
    for (let round = 0; round < 60; round++) {
      if (content !== undefined) writeFileSync(path, content)
      const answers = await Promise.all(contenders.map((child) => contend(child, path)))
      expect(answers.sort()).toEqual(['LOCKED', 'LOCKED', 'LOCKED', 'held'])
      rmSync(path)
    }
  })
})
