import {setTimeout as sleep} from 'node:timers/promises'
import {type HttpProxy, type ProxiedRequest, startHttpProxy, type Treatment} from '../services/http-proxy.ts'
import {answerWith, drip, hang, passOn, tearAfterWrite, tearBeforeWrite} from '../services/http-treatments.ts'
import {isBlamedAtTimes} from './messages.ts'

/** What may be done to a request instead of passing it on. */
export type HttpFault = '400' | '413' | '429' | '500' | '503' | 'hang' | 'drip' | 'torn after the write' | 'torn before the write' | 'late'

export interface FaultProxy extends Pick<HttpProxy, 'url' | 'idle' | 'close'> {
  /** To every request from now on; undefined lets all pass. */
  setFault(fault: HttpFault | undefined): void
}

const LATE_MILLISECONDS = 4000
const RETRY_AFTER_SECONDS = '1'
const LARGEST_BODY_BYTES = 2000

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const proxy = await startHttpProxy(target, {keepsRequests: false})
  let fault: HttpFault | undefined
  proxy.setTreatment(treatmentOf)
  return {...proxy, setFault: (next) => (fault = next)}

  function treatmentOf(request: ProxiedRequest): Treatment | undefined {
    switch (fault) {
      case '429':
      case '503':
        return refuse(Number(fault), 'by the fault proxy', {'retry-after': RETRY_AFTER_SECONDS})
      case '500':
        return refuse(500, 'by the fault proxy')
      case '413':
        return request.body.length > LARGEST_BODY_BYTES ? refuse(413, 'by the fault proxy') : undefined
      case '400': {
        const line = blamedLine(request)
        return line ? refuse(400, `unable to parse '${line}': by the fault proxy`) : undefined
      }
      case 'hang':
        return hang
      case 'torn before the write':
        return tearBeforeWrite
      case 'torn after the write':
        return tearAfterWrite
      case 'drip':
        return drip(() => fault === 'drip')
      case 'late':
        return late
      case undefined:
        return undefined
    }
  }
}

function refuse(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Treatment {
  const body = JSON.stringify({code: status === 400 ? 'invalid' : 'unavailable', message})
  return answerWith(status, body, {...headers, 'content-type': 'application/json'})
}

/** As InfluxDB quotes the first line that it cannot parse. */
function blamedLine({text}: ProxiedRequest): string | undefined {
  return text.split('\n').find((line) => isBlamedAtTimes(Number(/[ ,]number=(\d+)/.exec(line)?.[1]), 'influx'))
}

/** Careless: the client may be gone by then. */
const late: Treatment = async ({response, pass}) => {
  await sleep(LATE_MILLISECONDS)
  await passOn({response, pass: () => pass({evenWithoutClient: true})})
}
