/** CPU time and memory of a process, from /proc (proc(5)). */
import { readFileSync } from 'node:fs';

/** Clock ticks in a second: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

/** What a process has used. */
export interface Usage {
  /** User and system time since it began. */
  cpuSeconds: number;
  /** Resident memory now, MiB: what `kubectl top` would show, and the file-backed part of the binary. */
  rssMiB: number;
  /** The part of it that no file backs: heap and stacks. */
  anonymousMiB: number;
  /** The most that was ever resident. */
  peakMiB: number;
}

/** Reads what `pid` has used; throws when it has ended. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
    rssMiB: mib('VmRSS'),
    anonymousMiB: mib('RssAnon'),
    peakMiB: mib('VmHWM'),
  };
}
