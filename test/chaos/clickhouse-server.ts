/* A process of its own, so that a round can kill it: node test/chaos/clickhouse-server.ts FOLDER PORT */
import {startFacade} from '../services/clickhouse-facade.ts'

const [folder, port] = process.argv.slice(2)
const facade = await startFacade({folder: folder!, port: Number(port)})
process.once('SIGTERM', () => void facade.close().then(() => process.exit(0)))
