import type {DeadLetter, Logger, Position} from '../core/types.ts'

/** A dry run puts nothing aside: it tells of each record that would be. */
export function createDeadLetterLog(describe: (position: Position) => string, {warn}: Pick<Logger, 'warn'>): DeadLetter {
  return {
    async put(letters) {
      for (const {message, index, error} of letters) {
        const place = `${describe(message.position)}${index === undefined ? '' : `#${index}`}`
        warn('record.rejected', {place, reason: error.reason, message: error.message})
      }
    },
    async close() {},
  }
}
