/** What InfluxDB takes for a time, in nanoseconds since the epoch: 1677 to 2262, but for the ends of a signed 64-bit count. */
const EARLIEST = 2n - 2n ** 63n
const LATEST = 2n ** 63n - 2n

export const isStorable = (instant: bigint) => instant >= EARLIEST && instant <= LATEST
