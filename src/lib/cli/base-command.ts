import {Command} from '@oclif/core/command'
import {isatty} from 'node:tty'
import type {Ledger, Logger} from '../core/types.ts'
import type {FlagSet, Values} from './flag.ts'
import type {Settings} from './settings.ts'
import type {Typed} from './typed.ts'
import {ReaderGoneError, UsageError} from '../errors.ts'
import {redactor} from '../format/redact.ts'
import {resolveConfiguration} from '../runtime/config.ts'
import {toSetting} from './flag.ts'
import {generalFlags} from './flags.ts'
import {describeError, errorText, exitCodeOf, ledgerText} from './report.ts'
import {decodeSettings} from './settings.ts'
import {bareFlags, translateParseError, typedFlags} from './typed.ts'

/** What a run reports at its end; it is filled in while it goes on, so that a failure reports it too. */
export interface RunReport {
  ledger?: Ledger
  /** The command's own keys of the JSON result, asked for at the end. */
  readonly own: Record<string, () => unknown>
  /** Lines for people, after the summary. */
  readonly notes: string[]
}

/** A command that has its values and knows how to talk. */
export interface Session<F extends FlagSet> extends Settings<F & typeof generalFlags> {
  readonly args: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  readonly report: RunReport
  /** Whether a person looks at standard error. */
  readonly isWatched: boolean
  readonly isQuiet: boolean
  /** Masks every secret of this run. */
  readonly redact: (text: string) => string
}

/** Parses, resolves, reports: what every command has in common. Each command's own part is in `run`. */
export abstract class BaseCommand extends Command {
  static override baseFlags = generalFlags

  readonly #begunAt = performance.now()
  readonly #report: RunReport = {own: {}, notes: []}
  #redact = redactor([])
  #isQuiet = false
  #isJson = false
  #logFormat: 'pretty' | 'json' | undefined
  #log: Logger | undefined
  #closers: (() => void)[] = []

  /**
   * First in every `run`. Rejects with UsageError for anything that is wrong before anything is started.
   * `commandName` is whose variables and section of the config file count.
   */
  protected async start<F extends FlagSet>(command: {readonly flags: F}, commandName = this.commandName()): Promise<Session<F>> {
    const flags = {...generalFlags, ...command.flags}
    this.#isJson = this.wantsJson()
    this.#redact = redactor(guessSecrets(flags, this.argv, process.env))
    const typed = await this.parseTyped(flags)
    const configuration = await resolveConfiguration({
      command: commandName,
      settings: Object.entries(flags).map(([name, flag]) => toSetting(name, flag)),
      typed: typed.flags,
      environment: process.env,
      commands: this.knownCommands(),
      readsConfigFile: true,
    })
    const settings = decodeSettings(flags, configuration)
    this.#redact = redactor([...guessSecrets(flags, this.argv, process.env), ...settings.secrets])
    const {log, isWatched} = await this.openLog(settings.values, settings.given.get('log-format')?.origin.kind)
    if (commandName === this.commandName()) refuseTwoOutputs(settings.values)
    for (const message of settings.warnings) log.warn('config.replaced', {message})
    for (const message of configuration.overridden) log.info('config.overridden', {message})
    return {...settings, args: typed.args, log, report: this.#report, isWatched, isQuiet: this.#isQuiet, redact: this.#redact}
  }

  /** Standard output is data: a result, or nothing. */
  protected override async finally(error: Error | undefined): Promise<void> {
    await super.finally(error)
    for (const close of this.#closers) close()
  }

  protected override async catch(error: unknown): Promise<void> {
    const exitCode = exitCodeOf(error)
    process.exitCode = exitCode
    if (error instanceof ReaderGoneError) return // as quiet as any program whose reader has enough
    if (this.#isJson || this.wantsJson()) return this.printJson(exitCode, describeError(error))
    if (this.#report.ledger) this.say('summary', ledgerText(this.#report.ledger, this.elapsed()))
    this.say('error', errorText(error), describeError(error))
  }

  /** Last in every `run`. `summary` is for people, unless they asked for quiet. */
  protected finish(summary?: string): void {
    if (this.#isJson) return this.printJson(0)
    if (this.#isQuiet) return
    const {ledger, notes} = this.#report
    const line = summary ?? (ledger && ledgerText(ledger, this.elapsed()))
    if (line) this.say('summary', line)
    for (const note of notes) this.say('note', note)
  }

  private async parseTyped(flags: FlagSet): Promise<Typed> {
    try {
      const {
        flags: parsed,
        args,
        argv,
      } = await this.parse({flags: bareFlags(flags) as never, args: this.ctor.args, strict: this.ctor.strict}, this.argv)
      return {
        flags: typedFlags(parsed),
        args: args as Typed['args'],
        words: argv as string[],
      }
    } catch (error) {
      throw translateParseError(error, flags)
    }
  }

  private elapsed(): number {
    return Math.round(performance.now() - this.#begunAt)
  }

  /** Data, on standard output. */
  protected print(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  protected commandName(): string {
    return (this.id ?? '').replaceAll(':', ' ')
  }

  /** Everything after `--` belongs to somebody else. */
  private wantsJson(): boolean {
    const end = this.argv.indexOf('--')
    const typed = (end === -1 ? this.argv : this.argv.slice(0, end)).includes('--json')
    const own = `UCS_${this.commandName()
      .replaceAll(/[^a-z0-9]+/gi, '_')
      .toUpperCase()}_JSON`
    return typed || /^(true|1|yes|on)$/i.test(process.env[own] ?? process.env['UCS_JSON'] ?? '')
  }

  private printJson(exitCode: number, error?: ReturnType<typeof describeError>): void {
    const {ledger, own} = this.#report
    const result = {
      command: this.commandName(),
      ok: error === undefined,
      exitCode,
      durationMilliseconds: this.elapsed(),
      ...(ledger ? {ledger} : {}),
      ...Object.fromEntries(Object.entries(own).map(([key, value]) => [key, value()])),
      ...(error ? {error} : {}),
    }
    process.stdout.write(`${this.#redact(JSON.stringify(result))}\n`)
  }

  private say(event: 'summary' | 'error' | 'note', text: string, fields: object = {message: text}): void {
    if (this.#logFormat === 'json' && this.#log) this.#log[event === 'error' ? 'error' : 'info'](event, {...fields})
    else process.stderr.write(`${this.#redact(event === 'summary' ? `${this.commandName()}: ${text}` : text)}\n`)
  }

  private async openLog(values: Values<typeof generalFlags>, formatOrigin: string | undefined): Promise<{log: Logger; isWatched: boolean}> {
    const {createLogger} = await import('../runtime/logger.ts')
    this.#isQuiet = values.quiet
    this.#isJson ||= values.json
    const isWatched = isatty(2)
    const outputs: ((line: string) => void)[] = [(line) => process.stderr.write(line)]
    if (values['log-file']) {
      const {openLogFile} = await import('../runtime/log-file.ts')
      const file = openLogFile(values['log-file'], values['log-max-size'], values['log-backups'])
      outputs.push((line) => file.write(line))
      this.#closers.push(() => file.close())
    }

    const format = values['log-format'] ?? (isWatched ? 'pretty' : 'json')
    if (formatOrigin !== undefined) this.#logFormat = format
    const level = values.quiet && values['log-level'] === 'info' ? 'warn' : values['log-level']
    const paint = isWatched && format === 'pretty' ? (await import('./paint.ts')).paintLevel : undefined
    this.#log = createLogger({
      level,
      format,
      outputs,
      redact: (line) => this.#redact(line),
      now: () => Date.now(),
      ...(paint ? {paint} : {}),
    })
    return {log: this.#log, isWatched}
  }

  private knownCommands(): ReadonlyMap<string, ReadonlySet<string>> {
    const namesOf = (command: {flags: Record<string, {aliases?: string[]}>}) =>
      new Set(Object.entries(command.flags).flatMap(([name, {aliases = []}]) => [name, ...aliases]))
    return new Map(this.config.commands.map((command) => [command.id.replaceAll(':', ' '), namesOf(command)]))
  }
}

/** The result and the data cannot both have standard output. */
function refuseTwoOutputs(values: Readonly<Record<string, unknown>>): void {
  const taken = values['dry-run'] === true ? '--dry-run' : values['output'] === '-' ? '--output -' : undefined
  if (values['json'] === true && taken)
    throw new UsageError(`--json and ${taken} both write to standard output`, {suggestion: `Leave out one of them`})
}

/** Before anything is resolved: what follows a secret flag, and what its variables hold. */
function guessSecrets(
  flags: FlagSet,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const secret = Object.entries(flags).filter(([, flag]) => flag.rules.isSecret)
  const typed = secret.flatMap(([name]) =>
    argv.flatMap((word, index) =>
      word === `--${name}` ? [argv[index + 1] ?? ''] : word.startsWith(`--${name}=`) ? [word.slice(name.length + 3)] : [],
    ),
  )
  const held = Object.entries(environment).flatMap(([name, value]) => (/TOKEN|PASSWORD|SECRET|API_KEY/i.test(name) && value ? [value] : []))
  return [...typed, ...held]
}
