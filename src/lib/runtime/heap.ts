import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8'

let enoughBytes = 16 * 2 ** 20
const LOOK_EVERY_MILLISECONDS = 20

/**
 * Keeps V8 from holding far more memory than a pipeline uses, and from never giving it back. Its space for new objects grows to 128 MB
 * where batches outlive a collection: that was a third of a run's memory, and made it no faster. And it lets the heap, with the buffers that
 * belong to it, grow up to fourfold between two full collections, of which twofold costs next to no time: with messages of 1 MB the rest was
 * 100 MB of what nobody needed any more.
 */
export function boundHeap(): void {
  setFlagsFromString('--heap-growing-percent=100') // read at each full collection
  const look = setInterval(() => {
    if (youngGenerationBytes() < enoughBytes) return
    clearInterval(look)
    setFlagsFromString('--semi-space-growth-factor=1') // read at each growth; a maximum is read at the start only
  }, LOOK_EVERY_MILLISECONDS).unref()
}

/** For a run that makes very many small objects and holds little else: it spends half the time on clearing them away. */
export function boundHeapLater(bytes: number): void {
  enoughBytes = bytes
}

const youngGenerationBytes = () => getHeapSpaceStatistics().find(({space_name: name}) => name === 'new_space')?.space_size ?? 0
