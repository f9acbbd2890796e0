import {readFile} from 'node:fs/promises'
import {basename} from 'node:path'
import type {ServiceName} from './locate.ts'

/** Names of test files, by the service that they need. */
export type Needs = ReadonlyMap<ServiceName, readonly string[]>

export interface AllNeeds {
  /** `describeWith('kafka')`. */
  readonly shared: Needs
  /** `describeWithOwn('kafka')`. */
  readonly own: Needs
}

/** Read from the text of the test files: a server is started before any of them runs. */
export async function needsOf(testFiles: readonly string[]): Promise<AllNeeds> {
  const sources = await Promise.all(testFiles.map(async (path) => ({file: basename(path), text: await readFile(path, 'utf8')})))
  return {shared: needsIn(sources, /\bdescribeWith\(([^)]*)\)/g), own: needsIn(sources, /\bdescribeWithOwn\(([^)]*)\)/g)}
}

function needsIn(sources: readonly {file: string; text: string}[], call: RegExp): Needs {
  const pairs = sources.flatMap(({file, text}) => {
    const names = [...text.matchAll(call)].flatMap(([, list]) => [...list!.matchAll(/\w+/g)])
    return [...new Set(names.map(([name]) => name as ServiceName))].map((name) => ({name, file}))
  })
  const needs = Map.groupBy(pairs, ({name}) => name)
  return new Map([...needs].map(([name, found]) => [name, found.map(({file}) => file)]))
}
