const MASK = '***'

/** Returns a function that masks these secrets, and the password of any URL, wherever they stand in a text. */
export function redactor(secrets: Iterable<string>): (text: string) => string {
  // A value as short as this stands in ordinary words too; masking it would garble everything and hide nothing.
  const known = [...new Set(secrets)].filter((secret) => secret.length >= 4)
  const forms = known.flatMap((secret) => [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64'), inJson(secret)])
  const longestFirst = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return (text) => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, MASK), redactUrls(text))
}

const inJson = (text: string) => JSON.stringify(text).slice(1, -1)

/**
 * `http://user:secret@host/` is shown as `http://***@host/`, and `?token=secret` as `?token=***`. A quote that ends a JSON string ends
 * the URL as well.
 */
export function redactUrls(text: string): string {
  return text
    .replace(/(?<![a-z0-9+.-])([a-z0-9+.-]*:\/\/)(?:[^\s/?#"]|"(?![,:}\]]))*@/gi, `$1${MASK}@`)
    .replace(/([?&](?:token|password|passwd|secret|api_?key|access_token|appid)=)[^\s&#"]+/gi, `$1${MASK}`)
}

/** What variables hold that are probably secret. */
export const heldSecrets = (environment: Readonly<Record<string, string | undefined>>): readonly string[] =>
  Object.entries(environment).flatMap(([name, value]) => (value && isProbablySecret(name, value) ? [value] : []))

/** The path of a token is none, nor is ALLOW_EMPTY_PASSWORD=true. */
const isProbablySecret = (variable: string, value: string) =>
  /TOKEN|PASSWORD|SECRET|API_KEY/i.test(variable) && !/_FILE$/i.test(variable) && !/^(true|false)$/i.test(value)
