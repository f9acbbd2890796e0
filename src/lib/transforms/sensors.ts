/** The seven values of a sensor event, in the order of the seed's table. */
export const SENSOR_FIELDS = ['co', 'humidity', 'light', 'lpg', 'motion', 'smoke', 'temp'] as const
export type SensorField = (typeof SENSOR_FIELDS)[number]

/** These two are states: stored as 0 or 1. */
export const SENSOR_STATES: ReadonlySet<SensorField> = new Set(['light', 'motion'])
