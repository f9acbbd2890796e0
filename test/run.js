// `npm test`: types and lint beside the tests, because these wait for servers half of the time. What lint says comes after them, in one piece.
import {spawn} from 'node:child_process'

const lint = spawn('npm', ['run', '--silent', 'lint'], {stdio: ['ignore', 'pipe', 'pipe']})
let said = ''
for (const output of [lint.stdout, lint.stderr]) output.setEncoding('utf8').on('data', (text) => (said += text))
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project=!long', ...process.argv.slice(2)]
const tests = spawn(process.execPath, vitest, {stdio: 'inherit'})
const ended = (child) => new Promise((resolve) => child.on('close', resolve))
const [tested, linted] = await Promise.all([ended(tests), ended(lint)])
console.log(`${said}${linted === 0 ? 'types and lint: nothing to say' : 'types and lint: FAILED, see above'}`)
process.exitCode = tested || linted ? 1 : 0
