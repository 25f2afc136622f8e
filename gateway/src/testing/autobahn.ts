/** The Autobahn WebSocket test suite as a client of ours: it runs in a root of its own, by chroot. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ensureAutobahn } from '../../../e2e/binaries/index.ts';
import { run } from '../../../e2e/tools/index.ts';

/** What the suite says of one case. */
export interface AutobahnCase {
  /** As 6.4.2. */
  id: string;
  /** OK, NON-STRICT, INFORMATIONAL, FAILED, UNIMPLEMENTED or WRONG CODE; of the messages, and of the end. */
  behavior: string;
  behaviorClose: string;
}

/** A part of the suite (the first number of its cases), and how many cases came out how. */
export interface AutobahnPart {
  part: number;
  cases: number;
  /** By the worse of its two verdicts. */
  verdicts: Record<string, number>;
}

/** Verdicts that a server that keeps to RFC 6455 gets, the worse the later. */
export const GOOD_VERDICTS = ['OK', 'INFORMATIONAL', 'NON-STRICT'];

/** Runs the cases that match `patterns` (as `1.*`) against `url`, within `timeoutMs`. */
export async function runAutobahn(
  url: string,
  patterns: readonly string[],
  timeoutMs: number,
): Promise<AutobahnCase[]> {
  const root = await ensureAutobahn();
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const folder = mkdtempSync(join(root, 'tmp', 'run-'));
  try {
    const inside = `/tmp/${basename(folder)}`;
    const agent = 'causeway';
    const spec = {
      outdir: inside,
      servers: [{ agent, url, options: { version: 18 } }],
      cases: patterns,
      'exclude-cases': [],
      'exclude-agent-cases': {},
    };
    writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec));
    const wstest = ['/usr/local/bin/wstest', '--mode', 'fuzzingclient', '--spec', `${inside}/spec.json`];
    await run('chroot', [root, ...wstest], {
      timeoutMs,
      env: { PATH: `/usr/bin:/bin:${process.env['PATH']}` },
    });
    const report = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Record<
      string,
      Record<string, Omit<AutobahnCase, 'id'>>
    >;
    return Object.entries(report[agent] ?? {}).map(([id, { behavior, behaviorClose }]) => ({
      id,
      behavior,
      behaviorClose,
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The worse of a case's two verdicts. */
export function verdictOf({ behavior, behaviorClose }: AutobahnCase): string {
  const badness = (verdict: string): number => {
    const index = GOOD_VERDICTS.indexOf(verdict);
    return index === -1 ? GOOD_VERDICTS.length : index;
  };
  return badness(behaviorClose) > badness(behavior) ? behaviorClose : behavior;
}

/** Counts cases by part. */
export function partsOf(cases: readonly AutobahnCase[]): AutobahnPart[] {
  const parts = Map.groupBy(cases, ({ id }) => Number(id.split('.')[0]));
  return [...parts]
    .sort(([a], [b]) => a - b)
    .map(([part, members]) => {
      const verdicts: Record<string, number> = {};
      for (const member of members) verdicts[verdictOf(member)] = (verdicts[verdictOf(member)] ?? 0) + 1;
      return { part, cases: members.length, verdicts };
    });
}
