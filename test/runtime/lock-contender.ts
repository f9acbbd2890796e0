import {acquireLock} from '../../src/lib/runtime/lock.ts'

/** A process that is told paths, tries to lock each, says how that went, and holds what it got until it is killed. */
process.on('message', (path: string) => {
  acquireLock(path).then(
    () => process.send!('held'),
    (error: {code: string}) => process.send!(error.code),
  )
})
process.send!('ready')
