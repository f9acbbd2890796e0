import {describe, expect, it} from 'vitest'
import {createObservations} from '../../src/lib/transforms/observations.ts'
import {rememberingLogger} from '../fakes/logger.ts'

function remembering() {
  const {log, events} = rememberingLogger()
  return {...createObservations(log.warn), events}
}

describe('observations', () => {
  it('count everything and warn once a name', () => {
    const {note, counts, events} = remembering()
    note('field.skipped', 'LS201', {reason: 'not a number', example: 'Active'})
    note('field.skipped', 'LS201', {reason: 'not a number', example: 'Inactive'})
    note('field.skipped', 'LS202')
    expect(counts).toEqual({'field.skipped': {LS201: 2, LS202: 1}})
    expect(events).toEqual([
      ['warn', 'field.skipped', {name: 'LS201', reason: 'not a number', example: 'Active'}],
      ['warn', 'field.skipped', {name: 'LS202'}],
    ])
  })

  it('keep the kinds apart', () => {
    const {note, counts, events} = remembering()
    note('label.unknown', 'x')
    note('field.skipped', 'x')
    expect(counts).toEqual({'label.unknown': {x: 1}, 'field.skipped': {x: 1}})
    expect(events).toHaveLength(2)
  })

  it('warn without a name of what has none', () => {
    const {note, counts, events} = remembering()
    note('label.missing', '', {looked: 'auto'})
    note('label.missing', '', {looked: 'auto'})
    expect(counts).toEqual({'label.missing': {'': 2}})
    expect(events).toEqual([['warn', 'label.missing', {looked: 'auto'}]])
  })

  it('take a name that every object has for a name like any other', () => {
    const {note, counts} = remembering()
    for (const name of ['constructor', '__proto__', 'constructor']) note('field.skipped', name)
    expect(Object.entries(counts['field.skipped']!)).toEqual([
      ['constructor', 2],
      ['__proto__', 1],
    ])
  })

  it('count names together past a thousand, so that data cannot fill the memory, and lose none of the counts', () => {
    const {note, counts, events} = remembering()
    for (let turn = 0; turn < 2; turn++) for (let name = 0; name < 3000; name++) note('label.unknown', `label ${name}`)
    const names = counts['label.unknown']!
    expect(Object.keys(names).length).toBeLessThanOrEqual(1001)
    expect(events.length).toBeLessThanOrEqual(1001)
    expect(names['label 0']).toBe(2)
    expect(names['(others)']).toBe(4000)
  })
})
