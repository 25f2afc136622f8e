/** What Prometheus may know of each platform: read off the cache when it asks, so that nothing has to be kept in step. */
import { parseDuration } from '@causeway/crds';
import { Gauge, type Registry } from 'prom-client';
import type { KubeObject } from '../controller/kube-api.ts';
import type { MessagePlatform } from './types.ts';

/** One platform's figures. Times in seconds since the epoch. */
export interface PlatformFigures {
  ready: boolean;
  /** When each certificate ends: the one that gateways serve, that of the inner links, and their authority. */
  expires: { certificate: 'served' | 'inner' | 'authority'; at: number }[];
  /** When the served certificate is due for renewal; undefined while there is none. */
  renewal: number | undefined;
}

/** A platform's figures, from its status. Pure. */
export function platformFigures({ spec, status }: MessagePlatform): PlatformFigures {
  const served = seconds(status?.certificates?.notAfter);
  const inner = seconds(status?.certificates?.innerNotAfter);
  const authority = seconds(status?.certificates?.authorityNotAfter);
  return {
    ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
    expires: [
      ...(served === undefined ? [] : [{ certificate: 'served' as const, at: served }]),
      ...(inner === undefined ? [] : [{ certificate: 'inner' as const, at: inner }]),
      ...(authority === undefined ? [] : [{ certificate: 'authority' as const, at: authority }]),
    ],
    renewal: served === undefined ? undefined : served - parseDuration(spec.tls.renewBefore) / 1000,
  };
}

function seconds(time: string | undefined): number | undefined {
  const ms = Date.parse(time ?? '');
  return Number.isNaN(ms) ? undefined : ms / 1000;
}

/** Registers gauges on `registry` that show what `platforms` gives at the time of the scrape. */
export function registerPlatformMetrics(registry: Registry, platforms: () => readonly KubeObject[]): void {
  const gauge = (
    [name, help]: [string, string],
    labelNames: readonly string[],
    samples: (figures: PlatformFigures) => { labels: Record<string, string>; value: number }[],
  ): void => {
    const names = ['namespace', 'platform', ...labelNames];
    const made = new Gauge({
      name,
      help,
      labelNames: names,
      registers: [registry],
      collect: () => {
        // A platform that has gone leaves no figure behind.
        made.reset();
        for (const platform of platforms() as readonly MessagePlatform[]) {
          const of = { namespace: platform.metadata.namespace ?? '', platform: platform.metadata.name };
          for (const { labels, value } of samples(platformFigures(platform)))
            made.set({ ...of, ...labels }, value);
        }
      },
    });
  };
  gauge(['causeway_platform_ready', '1 while the platform is Ready, else 0.'], [], ({ ready }) => [
    { labels: {}, value: ready ? 1 : 0 },
  ]);
  gauge(
    ['causeway_certificate_expiration_timestamp_seconds', 'When a certificate ends, in Unix time.'],
    ['certificate'],
    ({ expires }) => expires.map(({ certificate, at }) => ({ labels: { certificate }, value: at })),
  );
  gauge(
    [
      'causeway_certificate_renewal_timestamp_seconds',
      'When the certificate that gateways serve is due for renewal, in Unix time.',
    ],
    [],
    ({ renewal }) => (renewal === undefined ? [] : [{ labels: {}, value: renewal }]),
  );
}
