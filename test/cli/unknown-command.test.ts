import {expect, it} from 'vitest'
import {unknownCommand} from '../../src/lib/cli/unknown-command.ts'

const IDS = ['backup', 'backup:verify', 'buckets:create', 'config:show', 'kafka-to-influx', 'produce']

it.each([
  ['prodcue', 'there is no such command', 'Did you mean ucs produce?'],
  ['prodcue:S3cret:more', 'there is no such command', 'Did you mean ucs produce?'],
  ['produce:S3cret', 'there is an argument too many after produce', 'ucs produce --help'],
  ['buckets:craete', 'there is no such command of ucs buckets', 'Did you mean ucs buckets create?'],
  ['buckets:S3cret-and-longer', 'there is no such command of ucs buckets', 'ucs buckets --help lists the commands'],
  ['backup:veriify', 'there is no such command of ucs backup', 'Did you mean ucs backup verify?'],
  ['create:buckets', 'there is no such command', 'ucs --help lists the commands'],
  ['-x', 'a command comes before its flags', 'ucs --help lists the commands'],
  ['', 'there is no such command', 'ucs --help lists the commands'],
])('"%s": %s', (id, message, suggestion) => {
  expect(unknownCommand(id, IDS)).toMatchObject({code: 'USAGE', exitCode: 2, message, suggestion})
})
