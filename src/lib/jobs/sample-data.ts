/* Synthetic data in the seeds' file formats, the same on every machine. No row of a real data set is in here. */

export const SAMPLE_KINDS = ['sensors', 'swat'] as const
export type SampleKind = (typeof SAMPLE_KINDS)[number]

/** Lines of a CSV, header first, in groups. */
export function sampleLines(kind: SampleKind, rows: number, seed: number): Generator<readonly string[]> {
  const random = seededRandom(seed)
  return grouped(kind === 'sensors' ? sensorLines(rows, random) : swatLines(rows, random))
}

const LINES_IN_A_GROUP = 1000

function* grouped(lines: Iterable<string>): Generator<readonly string[]> {
  let group: string[] = []
  for (const line of lines) {
    group.push(line)
    if (group.length < LINES_IN_A_GROUP) continue
    yield group
    group = []
  }

  if (group.length > 0) yield group
}

/** A device's surroundings: mean and spread. */
interface Surroundings {
  readonly device: string
  readonly humidity: readonly [number, number]
  readonly temp: readonly [number, number]
}

const SURROUNDINGS: readonly Surroundings[] = [
  {device: 'b8:27:eb:bf:9d:51', humidity: [51, 2], temp: [22.5, 0.5]},
  {device: '00:0f:00:70:91:0a', humidity: [75, 2], temp: [19.4, 0.6]},
  {device: '1c:bf:ce:15:ec:4d', humidity: [61, 9], temp: [26, 4]},
]
const FIRST_SENSOR_TIME = 1_594_512_094.385

/** Every value in quotes, epoch seconds as Spark prints them, the three devices in turn. */
function* sensorLines(rows: number, random: () => number): Generator<string> {
  yield quoted(['ts', 'device', 'co', 'humidity', 'light', 'lpg', 'motion', 'smoke', 'temp'])
  let time = FIRST_SENSOR_TIME
  for (let row = 0; row < rows; row++) {
    const {device, humidity, temp} = SURROUNDINGS[row % SURROUNDINGS.length]!
    const air = 0.002 + random() * 0.006
    yield quoted([
      `${(time / 1e9).toFixed(16)}E9`,
      device,
      String(air),
      near(humidity, random).toFixed(1),
      String(random() < 0.28),
      String(air * 1.55),
      String(random() < 0.002),
      String(air * 4.1),
      String(Math.fround(near(temp, random))), // a 32-bit float printed as a 64-bit one: 19.700000762939453
    ])
    time += 0.2 + random() * 2
  }
}

/** The header as the exports have it: some names begin with a space. */
const SWAT_HEADER =
  ' Timestamp,FIT101,LIT101, MV101,P101,P102, AIT201,AIT202,AIT203,FIT201, MV201, P201, P202,P203, P204,P205,P206,DPIT301,FIT301,LIT301,MV301,MV302, MV303,MV304,P301,P302,AIT401,AIT402,FIT401,LIT401,P401,P402,P403,P404,UV401,AIT501,AIT502,AIT503,AIT504,FIT501,FIT502,FIT503,FIT504,P501,P502,PIT501,PIT502,PIT503,FIT601,P601,P602,P603,Normal/Attack'
const FIRST_SWAT_TIME = Date.UTC(2015, 11, 28, 10)
/** Of each period of readings the last eighth is under attack. */
const ATTACK_PERIOD = 800

/** One reading a second from 28/12/2015 10:00:00 AM on: sensors wander, actuators switch between 1 and 2. */
function* swatLines(rows: number, random: () => number): Generator<string> {
  yield SWAT_HEADER
  const tags = SWAT_HEADER.split(',')
    .slice(1, -1)
    .map((tag) => tag.trim())
  const isActuator = tags.map((tag) => /^(MV|P\d|UV)/.test(tag))
  const levels = tags.map((_, index) => (isActuator[index] ? 1 + (index % 2) : 2 + ((index * 37) % 700)))
  for (let row = 0; row < rows; row++) {
    const cells = levels.map((level, index) => {
      if (isActuator[index]) {
        if (random() < 0.001) levels[index] = 3 - level
        return levels[index]!
      }

      levels[index] = Math.max(0, level + (random() - 0.5) * 0.8)
      return Math.round(levels[index] * 1e6) / 1e6
    })
    const label = row % ATTACK_PERIOD < (ATTACK_PERIOD * 7) / 8 ? 'Normal' : 'Attack'
    yield ` ${swatTime(FIRST_SWAT_TIME + row * 1000)},${cells.join(',')},${label}`
  }
}

/** "28/12/2015 10:00:00 AM"; day, month and hour are not padded. */
function swatTime(milliseconds: number): string {
  const time = new Date(milliseconds)
  const hour = time.getUTCHours()
  const [minute, second] = [time.getUTCMinutes(), time.getUTCSeconds()].map((part) => String(part).padStart(2, '0'))
  return `${time.getUTCDate()}/${time.getUTCMonth() + 1}/${time.getUTCFullYear()} ${hour % 12 || 12}:${minute}:${second} ${hour < 12 ? 'AM' : 'PM'}`
}

const quoted = (cells: readonly string[]) => cells.map((cell) => `"${cell}"`).join(',')
const near = ([mean, spread]: readonly [number, number], random: () => number) => mean + (random() + random() - 1) * spread

/** A generator of our own, because Math.random cannot be seeded (mulberry32's recurrence). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
