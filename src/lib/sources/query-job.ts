import type {Checkpoint, Logger} from '../core/types.ts'
import type {PrometheusClient} from '../clients/prometheus.ts'
import type {PrometheusQuery} from '../format/prometheus-sample.ts'
import type {QueryProgress, Timetable} from './query-progress.ts'
import {IoError} from '../errors.ts'
import {queryLabel} from '../format/prometheus-sample.ts'
import {createQueryProgress} from './query-progress.ts'

export interface PrometheusServer {
  /** What tells it apart from the others; undefined where there are none. */
  readonly name: string | undefined
  readonly client: PrometheusClient
}

/** One query at one server. */
export interface QueryJob {
  readonly server: PrometheusServer
  readonly query: PrometheusQuery
  /** For logs and results. */
  readonly label: string
  /** Its messages are in order within it. */
  readonly partition: string
  readonly progress: QueryProgress
  /** No run before has asked it. */
  readonly isNew: boolean
  /** A run before has left a cursor. */
  readonly isResumed: boolean
  /** A moment is being asked for, or its answer waits to be taken. */
  isBusy: boolean
  hasAnswered: boolean
  /** Of the last request; undefined where that was answered. */
  failure: Error | undefined
  /** Since when no request was answered. */
  failingSince: number | undefined
  /** Why a run with an end has left something undone. */
  givenUp: Error | undefined
  /** About how many series it finds. */
  seriesSeen: number | undefined
  /** A moment is on its way until it is settled or missed. */
  asked(moment: number): void
  /** All that it brought is durable. */
  settled(moment: number): void
  /** It is a gap, but not while others are on their way: they would be in it, and be asked for once more. */
  missed(moment: number): void
  onTheirWay(): number
  /** Moments that are gaps or will be. */
  missing(): number
  /** The cursor is behind the progress: it follows soon, and a failure is told. */
  save(): void
  /** Resolves when the cursor is durable. */
  flush(): Promise<void>
}

export interface JobOptions {
  readonly server: PrometheusServer
  readonly query: PrometheusQuery
  readonly timetable: Timetable
  /** Absent where nothing is to be remembered. */
  readonly cursor: {readonly checkpoint: Checkpoint; readonly key: string} | undefined
  /** Where there is none yet. */
  readonly begin: string | undefined
  readonly log: Logger
}

const NONE = {moments: 0, last: -Infinity}

/** Rejects with IoError where its cursor cannot be read. */
export async function openQueryJob({server, query, timetable, cursor, begin, log}: JobOptions): Promise<QueryJob> {
  const label = server.name === undefined ? queryLabel(query) : `${server.name}: ${queryLabel(query)}`
  const saved = await cursor?.checkpoint.load(cursor.key)
  const progress = readProgress(timetable, saved ?? begin, cursor?.key)
  const onTheirWay = new Set<number>()
  let meanwhile = NONE // missed while others were on their way
  let isBehind = false
  let saving: Promise<void> | undefined
  let unsaved: unknown

  return {
    server,
    query,
    label,
    partition: `${label}/0`,
    progress,
    isNew: progress.accountedUntil() === undefined,
    isResumed: saved !== undefined,
    isBusy: false,
    hasAnswered: false,
    failure: undefined,
    failingSince: undefined,
    givenUp: undefined,
    seriesSeen: undefined,
    asked: (moment) => void onTheirWay.add(moment),
    settled(moment) {
      onTheirWay.delete(moment)
      progress.settle(moment)
      if (moment > meanwhile.last) meanwhile = NONE // they are gaps now, between this one and the one before
      openGap()
      save()
    },
    missed(moment) {
      onTheirWay.delete(moment)
      meanwhile = {moments: meanwhile.moments + 1, last: Math.max(meanwhile.last, moment)}
      openGap()
    },
    onTheirWay: () => onTheirWay.size,
    missing: () => progress.missing() + meanwhile.moments,
    save,
    async flush() {
      if (unsaved !== undefined) save()
      while (saving) await saving
      if (unsaved !== undefined) throw unsaved
    },
  }

  function openGap(): void {
    if (onTheirWay.size > 0 || meanwhile === NONE) return
    progress.expect(meanwhile.last + 1)
    meanwhile = NONE
    save()
  }

  function save(): void {
    if (!cursor) return
    isBehind = true
    saving ??= saveNow(cursor).finally(() => {
      saving = undefined
      if (isBehind) save() // it has moved on meanwhile
    })
  }

  async function saveNow({checkpoint, key}: NonNullable<JobOptions['cursor']>): Promise<void> {
    isBehind = false
    const text = progress.cursor()
    if (text === undefined) return
    try {
      await checkpoint.save(key, text)
      unsaved = undefined
    } catch (error) {
      const isNew = unsaved === undefined
      unsaved = error // what it stands for is stored, and would only be read once more
      if (isNew) log.warn('cursor.unsaved', {query: label, message: (error as Error).message})
    }
  }
}

function readProgress(timetable: Timetable, text: string | undefined, key = ''): QueryProgress {
  try {
    return createQueryProgress(timetable, text)
  } catch (cause) {
    throw new IoError(`the cursor of ${key} cannot be used: ${(cause as Error).message}`, {
      cause,
      suggestion: 'Remove its file from --state-dir to begin anew',
    })
  }
}
