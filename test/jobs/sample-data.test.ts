import {describe, expect, it} from 'vitest'
import {type SampleKind, sampleLines} from '../../src/lib/jobs/sample-data.ts'

const linesOf = (kind: SampleKind, rows: number, seed = 1) => [...sampleLines(kind, rows, seed)].flat()

describe.each(['sensors', 'swat'] as const)('a sample of %s', (kind) => {
  it('is the same for the same seed, and another for another', () => {
    expect(linesOf(kind, 50)).toEqual(linesOf(kind, 50))
    expect(linesOf(kind, 50, 2)).not.toEqual(linesOf(kind, 50))
  })

  it('begins as a longer one does', () => {
    expect(linesOf(kind, 200).slice(0, 51)).toEqual(linesOf(kind, 50))
  })

  it.each([0, 1, 999, 1000, 2500])('has a header and %i rows, in groups of a thousand lines', (rows) => {
    const groups = [...sampleLines(kind, rows, 1)]
    expect(groups.flat()).toHaveLength(rows + 1)
    expect(groups.slice(0, -1).every((group) => group.length === 1000)).toBe(true)
    expect(groups.every((group) => group.length > 0)).toBe(true)
  })
})

describe('a sample of sensors', () => {
  const [header, ...rows] = linesOf('sensors', 3000)
  const cells = rows.map((row) => row.slice(1, -1).split('","'))
  const column = (index: number) => cells.map((row) => row[index]!)

  it('has the header of the export', () => {
    expect(header).toBe('"ts","device","co","humidity","light","lpg","motion","smoke","temp"')
  })

  it('has every value in quotes, and none that would need more than that', () => {
    for (const row of rows) expect(row).toMatch(/^("[^",]*",){8}"[^",]*"$/)
  })

  it('has times in ascending order, as Spark prints epoch seconds', () => {
    for (const time of column(0)) expect(time).toMatch(/^1\.59\d{14}E9$/)
    const seconds = column(0).map(Number)
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b))
    expect(new Set(seconds).size).toBe(seconds.length)
    expect(new Date(seconds[0]! * 1000).toISOString()).toBe('2020-07-12T00:01:34.385Z')
  })

  it('has the three devices of the export, one after the other', () => {
    const devices = ['b8:27:eb:bf:9d:51', '00:0f:00:70:91:0a', '1c:bf:ce:15:ec:4d']
    expect(column(1)).toEqual(rows.map((_, index) => devices[index % 3]))
  })

  it('has light and motion as words, and both of each', () => {
    expect(new Set(column(4))).toEqual(new Set(['true', 'false']))
    expect(new Set(column(6))).toEqual(new Set(['true', 'false']))
  })

  it('has humidity with one digit, and temperatures as 32-bit floats printed as 64-bit ones', () => {
    for (const humidity of column(3)) expect(humidity).toMatch(/^\d{2}\.\d$/)
    for (const temp of column(8)) expect(String(Math.fround(Number(temp)))).toBe(temp)
    expect(column(8).some((temp) => temp.length > 12)).toBe(true)
  })

  it('has gases that are small fractions', () => {
    for (const index of [2, 5, 7]) for (const gas of column(index)) expect(Number(gas)).toSatisfy((part: number) => part > 0 && part < 0.05)
  })

  it('has surroundings that tell the devices apart: stable and warm, cool and humid, variable', () => {
    const spread = (device: string, index: number) => {
      const values = cells.filter((row) => row[1] === device).map((row) => Number(row[index]))
      return {mean: values.reduce((sum, value) => sum + value, 0) / values.length, range: Math.max(...values) - Math.min(...values)}
    }
    const [stable, humid, variable] = ['b8:27:eb:bf:9d:51', '00:0f:00:70:91:0a', '1c:bf:ce:15:ec:4d'] as const
    expect(spread(humid, 3).mean).toBeGreaterThan(spread(stable, 3).mean)
    expect(spread(humid, 8).mean).toBeLessThan(spread(stable, 8).mean)
    expect(spread(variable, 8).range).toBeGreaterThan(3 * spread(stable, 8).range)
  })
})

describe('a sample of SWaT', () => {
  const [header, ...rows] = linesOf('swat', 4000)
  const names = header!.split(',')
  const cells = rows.map((row) => row.split(','))

  it('has the 53 names of the export, of which some begin with a space', () => {
    const order =
      'Timestamp FIT101 LIT101 MV101 P101 P102 AIT201 AIT202 AIT203 FIT201 MV201 P201 P202 P203 P204 P205 P206 DPIT301 FIT301 LIT301 MV301 MV302 MV303 MV304 P301 P302 AIT401 AIT402 FIT401 LIT401 P401 P402 P403 P404 UV401 AIT501 AIT502 AIT503 AIT504 FIT501 FIT502 FIT503 FIT504 P501 P502 PIT501 PIT502 PIT503 FIT601 P601 P602 P603 Normal/Attack'
    expect(names.map((name) => name.trim())).toEqual(order.split(' '))
    expect(names.filter((name) => name.startsWith(' '))).toEqual(
      ['Timestamp', 'MV101', 'AIT201', 'MV201', 'P201', 'P202', 'P204', 'MV303'].map((name) => ` ${name}`),
    )
  })

  it('has as many values in each row, numbers all but the first and the last', () => {
    for (const row of cells) {
      expect(row).toHaveLength(53)
      expect(row.slice(1, -1).every((value) => /^\d+(\.\d+)?$/.test(value))).toBe(true)
    }
  })

  it('has a reading a second, from 28 December 2015, 10 in the morning', () => {
    expect(cells.slice(0, 2).map(([time]) => time)).toEqual([' 28/12/2015 10:00:00 AM', ' 28/12/2015 10:00:01 AM'])
    expect(cells[3599]![0]).toBe(' 28/12/2015 10:59:59 AM')
    expect(cells[3600]![0]).toBe(' 28/12/2015 11:00:00 AM')
  })

  it('pads no hour, and knows noon and midnight', () => {
    const times = linesOf('swat', 14 * 3600 + 1).map((row) => row.split(',', 1)[0])
    expect([2, 3, 14].map((hours) => times[1 + hours * 3600])).toEqual([
      ' 28/12/2015 12:00:00 PM',
      ' 28/12/2015 1:00:00 PM',
      ' 29/12/2015 12:00:00 AM',
    ])
  })

  it('has actuators in states 1 and 2, and both', () => {
    const actuators = names.flatMap((name, index) => (/^ ?(MV|P\d|UV)/.test(name) ? [index] : []))
    expect(actuators).toHaveLength(26)
    const states = new Set(cells.flatMap((row) => actuators.map((index) => row[index])))
    expect(states).toEqual(new Set(['1', '2']))
  })

  it('is normal for seven eighths of a period, and then under attack', () => {
    const labels = cells.map((row) => row.at(-1))
    expect(new Set(labels)).toEqual(new Set(['Normal', 'Attack']))
    expect(labels.slice(0, 800).lastIndexOf('Normal')).toBe(699)
    expect(labels.slice(0, 800).indexOf('Attack')).toBe(700)
    expect(labels.slice(800, 1600)).toEqual(labels.slice(0, 800))
  })
})
