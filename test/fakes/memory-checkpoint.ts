import type {Checkpoint} from '../../src/lib/core/types.ts'

/** Cursors that outlive a run. `onSave` may take its time, and reject. */
export function memoryCheckpoint(onSave: (key: string, cursor: string) => void | Promise<void> = () => {}) {
  const cursors = new Map<string, string>()
  const checkpoint: Checkpoint = {
    load: async (key) => cursors.get(key),
    async save(key, cursor) {
      await onSave(key, cursor)
      cursors.set(key, cursor)
    },
  }
  return {checkpoint, cursors}
}
