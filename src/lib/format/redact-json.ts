/** Masks what stands in the strings of a JSON text. Numbers and words such as true stay as they are: it has to stay JSON. */
export function redactJson(json: string, redact: (text: string) => string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"/g, (literal) => JSON.stringify(redact(JSON.parse(literal) as string)))
}
