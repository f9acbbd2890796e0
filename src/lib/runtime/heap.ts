import {getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString} from 'node:v8'

const ENOUGH_FOR_NEW_OBJECTS_BYTES = 16 * 2 ** 20
const MANY_BUFFERS_BYTES = 64 * 2 ** 20
const LOOK_EVERY_MILLISECONDS = 20

/**
 * Keeps V8 from holding far more memory than a pipeline uses, and from never giving it back. Its space for new objects grows to 128 MB
 * where batches outlive a collection: that was a third of a run's memory, and made it no faster. And it lets the heap, with the buffers that
 * belong to it, grow up to fourfold between two full collections: with messages of 1 MB that was 100 MB of what nobody needed any more.
 * To collect more often takes time, so it is left to runs that have many bytes in hand.
 */
export function boundHeap(): void {
  whenever(() => youngGenerationBytes() >= ENOUGH_FOR_NEW_OBJECTS_BYTES, '--semi-space-growth-factor=1') // read at each growth; a maximum is read at the start only
  whenever(() => getHeapStatistics().external_memory >= MANY_BUFFERS_BYTES, '--heap-growing-percent=50') // read at each collection
}

function whenever(isReached: () => boolean, flag: string): void {
  const look = setInterval(() => {
    if (!isReached()) return
    clearInterval(look)
    setFlagsFromString(flag)
  }, LOOK_EVERY_MILLISECONDS).unref()
}

const youngGenerationBytes = () => getHeapSpaceStatistics().find(({space_name: name}) => name === 'new_space')?.space_size ?? 0
