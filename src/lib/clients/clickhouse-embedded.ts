import {resolve} from 'node:path'
import type {ClickHouse} from './clickhouse.ts'
import {IoError, LockedError, UnavailableError, UsageError} from '../errors.ts'
import {makeFolder} from '../runtime/folder.ts'
import {wrapDriver} from './clickhouse.ts'

/** Without a cap one greedy query takes nine tenths of the machine. */
const MAX_MEMORY_BYTES = 2_000_000_000

/**
 * The ClickHouse engine inside this process, with its data in a folder. Two rules keep it safe, and callers keep them
 * by going through `ClickHouse`: rows are inserted as objects, because inline data with a blank line would end there and
 * the rest run as SQL; and every insert has a token.
 */
export async function openEmbeddedClickHouse(folder: string): Promise<ClickHouse> {
  const {chdb, createChdbConnection} = await loadEngine()
  const path = resolve(folder)
  try {
    makeFolder(path)
  } catch (cause) {
    throw new IoError(`cannot make ${path}: ${(cause as Error).message}`, {cause})
  }

  const {createClient, ClickHouseLogLevel} = await import('@clickhouse/client')
  const keeper = openSession()
  // The engine's package brings its own copy of the driver's types, which are the same but in name.
  const connection = createChdbConnection({path}) as unknown as Parameters<typeof createClient>[0] & object
  const driver = createClient({connection: connection as never, log: {level: ClickHouseLogLevel.OFF}})

  const engine = wrapDriver(driver, path, async () => {
    await driver.close()
    keeper.close()
    await chdb.drainPending() // a process that ends while the engine works crashes
  })
  const blame = blameDisk(path)
  return {
    ...engine,
    command: (...statement) => engine.command(...statement).catch(blame),
    query: (...question) => engine.query<never>(...question).catch(blame),
    insert: (insert) => engine.insert(insert).catch(blame),
  }

  function openSession() {
    try {
      return new chdb.Session(path, {connectionArgs: [`--max_server_memory_usage=${MAX_MEMORY_BYTES}`]})
    } catch (cause) {
      throw new LockedError(
        `cannot open the embedded engine's folder ${path}: another process has it open, or it is no folder of its making`,
        {
          cause,
          suggestion: 'Wait for the other run to end, or name another folder with --embedded',
        },
      )
    }
  }
}

/** Rejects with UsageError where the optional package is not installed or has no build for this machine. */
async function loadEngine() {
  try {
    const [chdb, {createChdbConnection}] = await Promise.all([import('chdb'), import('chdb/connection')])
    return {chdb, createChdbConnection}
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    throw new UsageError(
      isMissing
        ? 'the embedded engine is not installed'
        : `the embedded engine does not run on ${process.platform}-${process.arch}: ${(cause as Error).message.split('\n', 1)[0]}`,
      {
        cause,
        suggestion: isMissing
          ? 'npm install chdb@3.4.0, with --global where ucs is installed so'
          : 'Use a ClickHouse server: --clickhouse-url',
      },
    )
  }
}

/** What a server would wait out, somebody has to mend on this machine. */
export function blameDisk(path: string): (cause: Error) => never {
  return (cause) => {
    const isDiskFault = /not enough space|no space left|read-only file system|permission denied|input\/output error/i.test(cause.message)
    if (!(cause instanceof UnavailableError) || !isDiskFault) throw cause // what a refusal quotes of a row may say anything
    const suggestion = `Make room where ${path} is, mend its rights, or name another folder with --embedded`
    throw new IoError(cause.message.trim(), {cause, suggestion})
  }
}
