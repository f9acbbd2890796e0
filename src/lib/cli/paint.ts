import {Chalk} from 'chalk'
import type {LogLevel} from '../runtime/log-level.ts'

const chalk = new Chalk()
const STYLES = {debug: chalk.dim, info: chalk.cyan, warn: chalk.yellow, error: chalk.red} satisfies Record<
  LogLevel,
  (text: string) => string
>

export const paintLevel = (level: LogLevel, text: string): string => STYLES[level](text)
