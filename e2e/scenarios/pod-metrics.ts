/** What pods measure, as Prometheus would read it. */
import { ADMIN_PATH, LABEL, PORT } from '@causeway/crds';
import type { Scenario } from './support.ts';

/** Metrics of each running gateway or replicator with these labels. */
export async function metricsOfPods(
  lab: Scenario,
  labels: { platform: string; component: string; zone?: string },
): Promise<string[]> {
  const { platform, component, zone } = labels;
  const selector = [
    `${LABEL.platform}=${platform}`,
    `${LABEL.component}=${component}`,
    ...(zone === undefined ? [] : [`${LABEL.zone}=${zone}`]),
  ].join();
  const path = 'jsonpath={range .items[?(@.status.phase=="Running")]}{.status.podIP} {end}';
  const ips = (await lab.kubectl('get', 'pods', '-l', selector, '-o', path)).trim().split(' ');
  return Promise.all(
    ips.map(async (ip) => (await fetch(`http://${ip}:${PORT.admin}${ADMIN_PATH.metrics}`)).text()),
  );
}

/** Sum of a metric, by any of its labels. */
export function sumOf(text: string, name: string): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
