/** A value that a command takes, whatever it comes from. */
export interface Setting {
  readonly name: string
  readonly aliases: readonly string[]
  /** Besides UCS_<COMMAND>_<FLAG> and UCS_<FLAG>, which every setting has. */
  readonly variables: readonly string[]
  readonly isRepeatable: boolean
  /** As text, like a value from anywhere else. */
  readonly fallback: string | undefined
}

export const ORIGINS = ['flag', 'environment', 'env file', 'config file', '.env', 'default'] as const
export interface Origin {
  readonly kind: (typeof ORIGINS)[number]
  /** `--broker`, `KAFKA_BROKER`, or `ucs.yaml:3:5`. */
  readonly name: string
}

/** A value as it was given, before anybody has checked it. */
export interface Given {
  /** One, unless the setting is repeatable. Booleans are "true" and "false". */
  readonly texts: readonly string[]
  readonly origin: Origin
}

/** By the command's name: the name of each setting, by that name and by its aliases. */
export type CommandSettings = ReadonlyMap<string, ReadonlyMap<string, string>>
