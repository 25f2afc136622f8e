/** gateway/src/log: structured logs, one JSON object for each line on standard output. Imports only winston. */
import winston from 'winston';

/** What the rest of the gateway logs with. Fields must never hold tokens, keys or payloads. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** A logger with fields that go on every line. The level is LOG_LEVEL, or info. */
export function createLog(fields: Record<string, unknown>): Log {
  return winston.createLogger({
    level: process.env['LOG_LEVEL'] ?? 'info',
    defaultMeta: fields,
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ stderrLevels: [] })],
  });
}

/** The text of anything thrown, without its stack. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
