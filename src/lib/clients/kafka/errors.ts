import type {KafkaSettings} from './connection.ts'
import {AuthError, NotFoundError, UcsError, UnavailableError} from '../../errors.ts'
import {certificateMessage, certificateRemedy, isCertificateProblem} from '../certificate.ts'

/** What kafkajs's errors carry besides a message; its names say little, so the innermost cause decides. */
interface KafkaFailure extends Error {
  readonly type?: string
  readonly code?: string | number
  /** The one that it is about, where that is known. */
  readonly broker?: string
}

/** Everything kafkajs may reject with, in our classes. `doing` is a phrase such as `reading topic "t"`. */
export function translateKafkaError(error: unknown, doing: string, settings: KafkaSettings): UcsError {
  if (error instanceof UcsError) return error
  const cause = innermost(error)
  const brokers = cause.broker ?? settings.brokers.join(', ')
  const said = `${doing} at ${brokers} failed: ${certificateMessage(cause.message)}`
  const type = cause.type ?? ''
  if (isAuthProblem(cause, type)) {
    return new AuthError(said, {
      cause: error,
      suggestion: 'Check --kafka-sasl, --kafka-username and --kafka-password, and what that user may do',
    })
  }

  if (/alert (bad )?certificate|alert number (42|116)/i.test(cause.message)) {
    return new AuthError(said, {
      cause: error,
      suggestion: 'The listener asks for a client certificate: --kafka-cert FILE --kafka-key FILE',
    })
  }

  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return new NotFoundError(`${doing} at ${brokers} failed: there is no such topic`, {
      cause: error,
      suggestion: 'Create the topic, or check --topic or KAFKA_TOPIC',
    })
  }

  if (type === 'INCONSISTENT_GROUP_PROTOCOL') {
    return new UnavailableError(`${doing} at ${brokers} failed: another program in the group shares partitions in another way`, {
      cause: error,
      permanent: true,
      suggestion: 'Stop the other program, or name a group of its own with --group',
    })
  }

  if (cause.name === 'KafkaJSNotImplemented') return new UnavailableError(said, {cause: error, permanent: true})
  if (isCertificateProblem(cause)) {
    return new UnavailableError(said, {
      cause: error,
      permanent: true,
      suggestion: certificateRemedy(cause, 'Name the certificate authority with --kafka-ca FILE'),
    })
  }

  if (isWrongProtocol(cause)) {
    const suggestion = settings.tls
      ? 'Is the broker running? If it is, does the listener speak TLS? Without it, leave out --kafka-tls'
      : 'Is the broker running? If it is, does the listener expect TLS or SASL? Try --kafka-tls or --kafka-sasl'
    return new UnavailableError(said, {cause: error, suggestion})
  }

  return new UnavailableError(said, {cause: error, suggestion: 'Is the broker running? Check --broker or KAFKA_BROKER'})
}

export function innermost(error: unknown): KafkaFailure {
  let cause = error as KafkaFailure
  while (cause.cause instanceof Error) cause = cause.cause
  return cause
}

function isAuthProblem(cause: KafkaFailure, type: string): boolean {
  return (
    cause.name === 'KafkaJSSASLAuthenticationError' ||
    /AUTHORIZATION_FAILED|SASL_AUTHENTICATION_FAILED|ILLEGAL_SASL_STATE/.test(type) ||
    /SASL mechanism/.test(cause.message)
  )
}

/** A listener that speaks another protocol just hangs up. */
const isWrongProtocol = ({message}: KafkaFailure) =>
  /Closed connection|Connection closed by the server|before secure TLS connection|wrong version number|packet length too long/i.test(
    message,
  )
