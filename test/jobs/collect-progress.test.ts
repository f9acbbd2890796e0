import {describe, expect, it} from 'vitest'
import {type CollectProgress, createCollectProgress} from '../../src/lib/jobs/collect-progress.ts'

const UNIT = 60
const LONG = 100_000

const newProgress = (cursor?: string, overlapMilliseconds = 0) =>
  createCollectProgress(cursor, {unitMilliseconds: UNIT, overlapMilliseconds})

/** All that is asked for up to a moment, in chunks, when each is stored. */
function collected(progress: CollectProgress, target: number, milliseconds = LONG): [number, number][] {
  const ranges: [number, number][] = []
  progress.rewind(target)
  for (let range = progress.next(target, milliseconds); range; range = progress.next(target, milliseconds)) {
    ranges.push([range.start, range.stop])
    progress.settle()
  }

  return ranges
}

describe('the progress of a query', () => {
  it('begins at a whole window, and goes on where it was', () => {
    const progress = newProgress()
    progress.begin(610, undefined)
    expect(collected(progress, 900)).toEqual([[600, 900]])
    const next = newProgress(progress.cursor())
    next.begin(100_000, undefined)
    expect(collected(next, 1020)).toEqual([[900, 1020]])
    expect(next.until()).toBe(1020)
  })

  it('asks for long stretches in chunks of whole windows', () => {
    const progress = newProgress()
    progress.begin(0, undefined)
    expect(collected(progress, 300, 150)).toEqual([
      [0, 120],
      [120, 240],
      [240, 300],
    ])
    progress.begin(0, undefined)
    expect(collected(progress, 420, 1)).toEqual([
      [300, 360],
      [360, 420],
    ])
  })

  it('asks again for what was not stored', () => {
    const progress = newProgress()
    progress.begin(0, undefined)
    expect(progress.next(120, LONG)).toEqual({start: 0, stop: 120})
    expect(progress.next(120, LONG)).toEqual({start: 0, stop: 120})
    expect(newProgress(progress.cursor()).until()).toBe(0)
  })

  it('asks again for the overlap, only when there is something new, and never for what lies before the beginning', () => {
    const progress = newProgress(undefined, 150)
    progress.begin(600, undefined)
    expect(collected(progress, 660)).toEqual([[600, 660]])
    expect(collected(progress, 660)).toEqual([])
    expect(collected(progress, 900)).toEqual([[600, 900]])
    expect(collected(progress, 960, 120)).toEqual([
      [720, 840],
      [840, 960],
    ])
  })

  it('does not go back by an overlap that was cut short', () => {
    const progress = newProgress(undefined, 150)
    progress.begin(0, undefined)
    collected(progress, 600)
    progress.rewind(660)
    expect(progress.next(660, 60)).toEqual({start: 420, stop: 480})
    progress.settle()
    expect(progress.until()).toBe(600)
  })

  it('collects the past first, up to what was collected before, and remembers that', () => {
    const progress = newProgress(JSON.stringify({since: 600, until: 900}))
    progress.begin(100_000, 240)
    expect(collected(progress, 960, 240)).toEqual([
      [240, 480],
      [480, 600],
      [900, 960],
    ])
    progress.begin(100_000, 240)
    expect(collected(progress, 960)).toEqual([])
    expect(progress.since()).toBe(240)
  })

  it('goes on with a past that was cut short, though a relative time names a later one by now', () => {
    const progress = newProgress(JSON.stringify({since: 600, until: 900}))
    progress.begin(0, 240)
    progress.next(900, 120)
    progress.settle()
    const next = newProgress(progress.cursor())
    next.begin(0, 300)
    expect(collected(next, 900)).toEqual([[360, 600]])
  })

  it('of a first run begins with the past, as far as that goes back', () => {
    const progress = newProgress()
    progress.begin(600, 61)
    expect(collected(progress, 660)).toEqual([[60, 660]])
  })

  it.each(['', '{}', '{"since":1}', '{"since":2,"until":1}', '{"since":1,"until":"2"}', '{"since":1,"until":2,"past":{"from":0}}'])(
    'refuses %j for a cursor',
    (text) => {
      expect(() => newProgress(text)).toThrow()
    },
  )
})
