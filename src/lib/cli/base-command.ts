import {Command} from '@oclif/core/command'
import type {Ledger, Logger} from '../core/types.ts'
import type {Configuration} from '../runtime/config.ts'
import type {NoticeCounts} from '../runtime/vitals.ts'
import type {CommandSettings, Given} from '../runtime/given.ts'
import type {FlagSet, Values} from './flag.ts'
import type {RunLog} from './log.ts'
import type {Settings} from './settings.ts'
import type {Typed} from './typed.ts'
import {UsageError} from '../errors.ts'
import {redactJson} from '../format/redact-json.ts'
import {heldSecrets, redactor} from '../format/redact.ts'
import {resolveConfiguration} from '../runtime/config.ts'
import {toSetting} from './flag.ts'
import {generalFlags} from './flags.ts'
import {describeError, errorText, exitCodeOf, ledgerText, observationsText} from './report.ts'
import {decodeSettings} from './settings.ts'
import {bareFlags, translateParseError, typedFlags} from './typed.ts'

/** What a run reports at its end; it is filled in while it goes on, so that a failure reports it too. */
export interface RunReport {
  ledger?: Ledger
  /** By kind and name. */
  observed?: NoticeCounts | undefined
  /** The command's own keys of the JSON result, asked for at the end. */
  readonly own: Record<string, () => unknown>
  /** Lines for people, after the summary. */
  readonly notes: string[]
}

/** A command that has its values and knows how to talk. */
export interface Session<F extends FlagSet>
  extends Settings<F & typeof generalFlags>, Pick<Configuration, 'configShape' | 'collector' | 'variables'> {
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
  #typed: Typed['flags'] = new Map()
  #secrets: readonly string[] = []
  #redact = redactor([])
  #isQuiet = false
  #isJson = false
  #log: RunLog | undefined

  /**
   * First in every `run`. Rejects with UsageError for anything that is wrong before anything is started.
   * `others` may be typed as well: flags of another command, which `resolve` gives their values.
   */
  protected async start<F extends FlagSet>(command: {readonly flags: F}, others?: FlagSet): Promise<Session<F>> {
    const flags = {...generalFlags, ...command.flags}
    this.mask(guessSecrets({...flags, ...others}, this.argv, process.env))
    const parsed = await this.parseTyped({...flags, ...others})
    this.#typed = parsed.flags
    const settings = await this.resolve(flags, this.commandName(), others !== undefined)
    const general: Values<typeof generalFlags> = settings.values
    this.#isJson = general.json
    this.#isQuiet = general.quiet
    const {openRunLog} = await import('./log.ts')
    this.#log = await openRunLog(general, settings.given, (line) => this.#redact(line))
    refuseTwoOutputs(settings.values, settings.given)
    const {log, isWatched} = this.#log
    for (const message of settings.warnings) log.warn('config.replaced', {message})
    for (const message of settings.overridden) log.info('config.overridden', {message})
    for (const message of settings.notices) log.info('config.ignored', {message})
    const redact = (text: string) => this.#redact(text)
    return {...settings, args: parsed.args, log, report: this.#report, isWatched, isQuiet: this.#isQuiet, redact}
  }

  /** The values of a command, with what was typed here. Its secrets are masked from now on. `isForAnother`: see ConfigInputs. */
  protected async resolve<F extends FlagSet>(
    flags: F,
    command = this.commandName(),
    isForAnother = false,
  ): Promise<Settings<F> & Omit<Configuration, 'values'>> {
    const configuration = await this.configurationOf(flags, command, {isForAnother})
    const settings = decodeSettings(flags, configuration)
    this.mask([...settings.secrets, ...configuration.heldSecrets])
    return {...configuration, ...settings}
  }

  /** Standard output is data: a result, or nothing. */
  protected override async finally(error: Error | undefined): Promise<void> {
    await super.finally(error)
    this.#log?.close()
  }

  protected override async catch(error: unknown): Promise<void> {
    const exitCode = exitCodeOf(error)
    process.exitCode = exitCode
    if (!this.#log) this.#isJson = await this.wantsJson()
    if (this.#isJson) this.printJson(exitCode, describeError(error))
    const {ledger} = this.#report
    if (ledger) this.say('summary', ledgerText(ledger, this.elapsed()))
    this.sayNotes()
    this.say('error', errorText(error), describeError(error))
  }

  /** Last in every `run`. `summary` is for people, unless they asked for quiet. */
  protected finish(summary?: string): void {
    if (this.#isJson) this.printJson(0)
    if (this.#isQuiet) return
    const {ledger} = this.#report
    const line = summary ?? (ledger && ledgerText(ledger, this.elapsed()))
    if (line) this.say('summary', line)
    this.sayNotes()
  }

  private sayNotes(): void {
    const {observed = {}, notes} = this.#report
    const noticed = observationsText(observed)
    for (const note of noticed ? [noticed, ...notes] : notes) this.say('note', note)
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

  private mask(secrets: readonly string[]): void {
    this.#secrets = [...this.#secrets, ...secrets]
    this.#redact = redactor(this.#secrets)
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

  private configurationOf(
    flags: FlagSet,
    command: string,
    options: {readonly readsConfigFile?: boolean; readonly isForAnother?: boolean},
  ): Promise<Configuration> {
    return resolveConfiguration({
      command,
      settings: Object.entries(flags).map(([name, flag]) => toSetting(name, flag)),
      typed: this.#typed,
      environment: process.env,
      commands: this.knownCommands(),
      readsConfigFile: true,
      ...options,
    })
  }

  /** For an error that came before all values were known; another value, or the config file, may be what is wrong. */
  private async wantsJson(): Promise<boolean> {
    const end = this.argv.indexOf('--') // everything after it belongs to somebody else
    if ((end === -1 ? this.argv : this.argv.slice(0, end)).includes('--json')) return true
    const {json} = generalFlags
    this.#typed = new Map(['config', 'env-file'].map((name) => [name, wordsAfter(name, this.argv)]))
    for (const readsConfigFile of [true, false]) {
      const found = this.configurationOf({json}, this.commandName(), {readsConfigFile})
      if (await found.then((configuration) => decodeSettings({json}, configuration).values.json).catch(() => false)) return true
    }

    return false
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
    process.stdout.write(`${redactJson(JSON.stringify(result), this.#redact)}\n`)
  }

  /** Under --json standard error gets none of it; a log file gets the last words in any case. */
  private say(event: 'summary' | 'error' | 'note', text: string, fields: object = {message: text}): void {
    const level = event === 'error' ? 'error' : 'info'
    const {lastWords, file} = this.#log ?? {}
    if (lastWords && !this.#isJson) lastWords[level](event, {...fields})
    else if (!this.#isJson) process.stderr.write(`${this.#redact(event === 'summary' ? `${this.commandName()}: ${text}` : text)}\n`)
    try {
      file?.[level](event, {...fields})
    } catch {
      // the file may be what failed
    }
  }

  private knownCommands(): CommandSettings {
    const namesOf = ({flags}: {flags: Record<string, {aliases?: string[]}>}) =>
      new Map(Object.entries(flags).flatMap(([name, {aliases = []}]) => [name, ...aliases].map((word) => [word, name] as const)))
    return new Map(this.config.commands.map((command) => [command.id.replaceAll(':', ' '), namesOf(command)]))
  }
}

/** The result and the data cannot both have standard output. */
function refuseTwoOutputs(values: Readonly<Record<string, unknown>>, given: ReadonlyMap<string, Given>): void {
  if (values['json'] !== true) return
  const toggle = ['dry-run', 'print-ddl', 'values'].find((name) => values[name] === true)
  if (!toggle && values['output'] !== '-') return
  const isByDefault = !toggle && given.get('output')?.origin.kind === 'default'
  throw new UsageError(`--json and ${toggle ? `--${toggle}` : '--output -'} both write to standard output`, {
    suggestion: isByDefault ? 'Name a file with --output' : 'Leave out one of them',
  })
}

/** Before anything is resolved: what follows a secret flag, and what its variables hold. */
function guessSecrets(
  flags: FlagSet,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const secret = Object.entries(flags).filter(([, flag]) => flag.rules.isSecret)
  const typed = secret.flatMap(([name]) => wordsAfter(name, argv))
  return [...typed, ...heldSecrets(environment)]
}

/** What is probably the value of a flag, where nothing is parsed yet or cannot be. */
function wordsAfter(flag: string, argv: readonly string[]): readonly string[] {
  return argv.flatMap((word, index) => {
    if (word === `--${flag}`) return [argv[index + 1] ?? '']
    return word.startsWith(`--${flag}=`) ? [word.slice(flag.length + 3)] : []
  })
}
