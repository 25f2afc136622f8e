/** Structured logs: JSON for programs, a readable line on a terminal. */
import { createLogger as createWinston, format, transports } from 'winston';
import type { Logger as WinstonLogger } from 'winston';
import { KubeError } from './kube-api.ts';

/** What a log line says besides its message. Never put a secret in it. */
export type LogFields = Record<string, unknown>;

/** The little that the operator asks of a logger. An `error` field may be an Error. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same logger, with `fields` on every line. */
  child(fields: LogFields): Logger;
}

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  level?: LogLevel;
  /** `auto`: human on a terminal, JSON elsewhere. */
  format?: 'json' | 'human' | 'auto';
  /** Where the lines go. Default: standard error. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean };
}

/** A logger over winston. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const stream = options.stream ?? process.stderr;
  const chosen = options.format ?? 'auto';
  const human = chosen === 'human' || (chosen === 'auto' && stream.isTTY === true);
  const winston = createWinston({
    level: options.level ?? 'info',
    format: format.combine(format.timestamp(), human ? humanFormat() : format.json()),
    transports: [new transports.Stream({ stream })],
  });
  return wrap(winston, {});
}

/** A logger that says nothing, for tests and for the simulator. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

/**
 * An error in a form that JSON keeps: message, and for an answer of the API server its code and reason.
 * A stack only for what isn't an ordinary answer of a server: those are our own bugs.
 */
export function describeError(error: unknown): LogFields {
  if (error instanceof KubeError) {
    return { message: error.message, code: error.code, reason: error.reason };
  }
  if (error instanceof AggregateError) {
    return { message: error.message, errors: error.errors.map((each) => describeError(each)) };
  }
  if (error instanceof Error) {
    const code = (error as { code?: unknown }).code;
    const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
    return {
      message: error.message,
      ...(code === undefined ? { stack: error.stack } : { code }),
      ...cause,
    };
  }
  return { message: String(error) };
}

function wrap(winston: WinstonLogger, bound: LogFields): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    const all = { ...bound, ...fields };
    if ('error' in all) all.error = describeError(all.error);
    // `message` belongs to the line: a field of that name would replace the text.
    if ('message' in all) {
      all.detail = all.message;
      delete all.message;
    }
    winston.log(level, message, all);
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => wrap(winston, { ...bound, ...fields }),
  };
}

function humanFormat(): ReturnType<typeof format.printf> {
  return format.printf(({ timestamp, level, message, ...rest }) => {
    const fields = Object.entries(rest)
      .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join(' ');
    const line = `${String(timestamp)} ${level.toUpperCase().padEnd(5)} ${String(message)}`;
    return fields === '' ? line : `${line}  ${fields}`;
  });
}
