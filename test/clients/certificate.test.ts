import {describe, expect, it} from 'vitest'
import {certificateMessage, certificateRemedy, isCertificateProblem} from '../../src/lib/clients/certificate.ts'

describe('isCertificateProblem', () => {
  it.each([
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ])('knows %s', (code) => {
    expect(isCertificateProblem({code})).toBe(true)
  })

  it.each(['self-signed certificate', 'ssl/tls alert bad certificate', 'No required SSL certificate was sent'])(
    'knows a message without a code: %s',
    (message) => {
      expect(isCertificateProblem({message})).toBe(true)
    },
  )

  it.each([
    {code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:8086'},
    {code: 'ECONNRESET', message: 'Client network socket disconnected before secure TLS connection was established'},
    {code: 'EPROTO', message: 'wrong version number'},
    {code: 516, message: 'Authentication failed'},
    {},
  ])('lets a wait mend $code $message', (error) => {
    expect(isCertificateProblem(error)).toBe(false)
  })
})

describe('certificateMessage', () => {
  it('leaves out what Node advises', () => {
    const message = 'unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca'
    expect(certificateMessage(message)).toBe('unable to verify the first certificate')
  })

  it('leaves any other message as it is', () => {
    expect(certificateMessage('certificate has expired; see you')).toBe('certificate has expired; see you')
  })
})

describe('certificateRemedy', () => {
  it.each([
    ['SELF_SIGNED_CERT_IN_CHAIN', 'name the authority'],
    ['CERT_HAS_EXPIRED', 'Renew the certificate of the server'],
    ['CERT_NOT_YET_VALID', 'Check the clocks'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'Use a name that the certificate of the server has'],
  ])('for %s says what mends it', (code, remedy) => {
    expect(certificateRemedy({code}, 'name the authority')).toContain(remedy)
  })
})
