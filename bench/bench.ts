/** What a comparison may use. */
export interface Bench {
  /** "host:port" */
  readonly kafka: string
  readonly influx: {readonly url: string; readonly org: string; readonly token: string}
  /** Programs to compare with; undefined where they are not installed. */
  readonly telegraf: string | undefined
  /** A Python that has kafka-python. */
  readonly python: string | undefined
}
