// Loaded into `ucs` to prove that the suite sees a loss: messages are acknowledged when their write begins.
import {registerHooks} from 'node:module'

const FAITHFUL = 'const settlement = settle(batch);'
const BROKEN = 'settle(batch).catch(fail); const settlement = Promise.resolve({batch, refused: new Map(), unsent: new Set()});'

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith('/dist/lib/core/pipeline.js')) return loaded
    const source = Buffer.from(loaded.source).toString()
    if (!source.includes(FAITHFUL)) throw new Error('the pipeline has changed: ack-before-write.mjs does not know it any more')
    return {...loaded, source: source.replace(FAITHFUL, BROKEN)}
  },
})
