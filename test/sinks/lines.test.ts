import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {createWriteStream} from 'node:fs'
import {Writable} from 'node:stream'
import {describe, expect, it, onTestFinished} from 'vitest'
import {IoError} from '../../src/lib/errors.ts'
import {createLinesSink} from '../../src/lib/sinks/lines.ts'

const context = {token: 't/0/0-1', signal: new AbortController().signal}

describe('rows as lines', () => {
  it('are one write a batch, each row with a line break', async () => {
    const writes: string[] = []
    const output = new Writable({
      write(chunk, _encoding, done) {
        writes.push(String(chunk))
        done()
      },
    })
    const sink = sinkTo(output)
    await sink.send(['a', 'grün'], context)
    await sink.send(['b'], context)
    expect(writes).toEqual(['a\ngrün\n', 'b\n'])
  })

  it('are written when the stream has taken them, and not before', async () => {
    const taken: (() => void)[] = []
    const sink = sinkTo(new Writable({write: (_chunk, _encoding, done) => void taken.push(done)}))
    let isDone = false
    const sending = sink.send(['a'], context).then(() => (isDone = true))
    await new Promise(setImmediate)
    expect(isDone).toBe(false)
    taken[0]!()
    await sending
  })

  it('are shown in a dry run, and else written', () => {
    const output = new Writable()
    expect([sinkTo(output, true).prints, sinkTo(output, false).prints]).toEqual([true, false])
  })
})

describe('a stream that fails', () => {
  it('is one whose reader went away, after which nothing can be written', async () => {
    const sink = sinkTo(await closedPipe())
    const sending = sink.send(['a'], context)
    await expect(sending).rejects.toMatchObject({
      name: 'IoError',
      message: 'standard output was closed before everything was written',
      suggestion: expect.stringContaining('read to the end') as string,
      cause: {code: 'EPIPE'},
    })
    await expect(sink.send(['b'], context)).rejects.toBeInstanceOf(IoError)
  })

  it('is a disk that is full', async () => {
    const sink = sinkTo(createWriteStream('/dev/full'))
    await expect(sink.send(['a'], context)).rejects.toMatchObject({
      name: 'IoError',
      message: expect.stringMatching(/^writing to standard output failed: ENOSPC/) as string,
    })
  })

  it('is one that was ended', async () => {
    const output = new Writable({write: (_chunk, _encoding, done) => done()})
    output.end()
    await expect(sinkTo(output).send(['a'], context)).rejects.toMatchObject({name: 'IoError', message: /write after end/})
  })

  it('does not end the process by its event, which comes when the send has been rejected', async () => {
    const output = new Writable({write: (_chunk, _encoding, done) => done(new Error('EIO'))})
    await expect(sinkTo(output).send(['a'], context)).rejects.toBeInstanceOf(IoError)
    await new Promise(setImmediate) // an event without a listener would fail this test
  })
})

/** The standard input of a process that has closed it. */
async function closedPipe(): Promise<Writable> {
  const reader = spawn('sh', ['-c', 'exec 0<&-; echo closed; exec sleep 60'])
  onTestFinished(() => void reader.kill())
  await once(reader.stdout, 'data')
  return reader.stdin
}

function sinkTo(output: Writable, prints = false) {
  return createLinesSink<string>({output, name: 'standard output', toText: (row) => row, prints})
}
