import {expect, it} from 'vitest'
import {DataError} from '../../src/lib/errors.ts'
import {createDeadLetterLog} from '../../src/lib/sinks/dead-letter-log.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {message} from '../fakes/pipeline.ts'

it('a record that a dry run rejects is told in one warning, with its place, its reason and what is wrong', async () => {
  const {log, events} = rememberingLogger()
  const letters = createDeadLetterLog(({offset}) => `t/0/${offset}`, log)
  const error = new DataError('bad timestamp', 'no such day')
  await letters.put([
    {message: message(7), error},
    {message: message(8), index: 2, error},
  ])
  await letters.close()
  const told = {reason: 'bad timestamp', message: 'no such day'}
  expect(events).toEqual([
    ['warn', 'record.rejected', {place: 't/0/7', ...told}],
    ['warn', 'record.rejected', {place: 't/0/8#2', ...told}],
  ])
})
