import {type UcsError, UnavailableError} from '../errors.ts'

/** An offset that was to be read next, and what there is in its partition instead. */
export interface Gap {
  readonly partition: number
  readonly from: bigint
  readonly low: bigint
  /** The offset after the last record. */
  readonly high: bigint
}

/** Retention has taken what was to be read, or the topic is not the one that it was. */
export function gapError(topic: string, {partition, from, low, high}: Gap): UcsError {
  const place = `partition ${partition} of topic "${topic}"`
  if (from < low) {
    return new UnavailableError(`${low - from} records of ${place} are gone before they were read: offsets ${from} to ${low - 1n}`, {
      permanent: true,
      suggestion: 'Go on with what is left by --on-offset-gap earliest; let the topic keep its records for longer',
    })
  }

  return new UnavailableError(`${place} ends at offset ${high}, and was read up to ${from} before: it is not the topic that it was`, {
    permanent: true,
    suggestion: 'Read it from its beginning by --on-offset-gap earliest, or name another --group',
  })
}
