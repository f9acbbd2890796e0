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
