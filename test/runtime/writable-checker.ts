// Whether a user without privileges may write a file: prints "writable", or the error's exit code.
import {checkWritable} from '../../src/lib/runtime/writable-file.ts'

const NOBODY = 65_534
if (process.getuid!() === 0) process.setuid!(NOBODY) // permissions do not stop root
const said = await checkWritable(process.argv[2]!, '--dead-letter').then(
  () => 'writable',
  (error: {exitCode: number}) => String(error.exitCode),
)
console.log(said)
