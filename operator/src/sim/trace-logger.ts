import { describeError, type Logger } from '../controller/log.ts';
import type { Trace } from './trace.ts';

/** A logger whose lines go into the trace of the run, without the debug ones. */
export function traceLogger(trace: Trace, name: string): Logger {
  const write = (level: string, message: string, fields: Record<string, unknown> = {}): void => {
    trace.add(() => {
      const { error, ...rest } = fields;
      const all = error === undefined ? rest : { ...rest, error: describeError(error)['message'] };
      return `${name} ${level}: ${message} ${JSON.stringify(all)}`;
    });
  };
  const logger: Logger = {
    debug: () => undefined,
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: () => logger,
  };
  return logger;
}
