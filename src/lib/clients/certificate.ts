/** Whether a connection failed because of a certificate: no wait mends that. */
export function isCertificateProblem({
  code = '',
  message = '',
}: {
  readonly code?: string | number | undefined
  readonly message?: string
}): boolean {
  return /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(String(code)) || /certificate/i.test(message)
}

/** Node adds what to do about it in Node's terms; our suggestion says it in ours. */
export const certificateMessage = (message: string) => message.replace(/; if the root CA is installed locally.*$/s, '')

/** What mends it. `trust` is how to name the authority: "Name the certificate authority with --kafka-ca FILE". */
export function certificateRemedy({code}: {readonly code?: string | number | undefined}, trust: string): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'Renew the certificate of the server'
    case 'CERT_NOT_YET_VALID':
      return 'Check the clocks of both machines, and from when on the certificate of the server is valid'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'Use a name that the certificate of the server has'
    default:
      return trust
  }
}
