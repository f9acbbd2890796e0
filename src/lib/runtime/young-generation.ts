import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8'

const ENOUGH_BYTES = 16 * 2 ** 20
const LOOK_EVERY_MILLISECONDS = 20

/**
 * Keeps the space for new objects from growing past what is useful. V8 lets it grow to 128 MB where, as in a pipeline, batches
 * outlive a collection, and gives nothing back: that was a third of a run's memory, and made it no faster.
 */
export function boundYoungGeneration(): void {
  const look = setInterval(() => {
    if (youngGenerationBytes() < ENOUGH_BYTES) return
    clearInterval(look)
    setFlagsFromString('--semi-space-growth-factor=1') // read at each growth; a maximum is read at the start only
  }, LOOK_EVERY_MILLISECONDS).unref()
}

const youngGenerationBytes = () => getHeapSpaceStatistics().find(({space_name: name}) => name === 'new_space')?.space_size ?? 0
