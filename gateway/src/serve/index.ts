/**
 * gateway/src/serve: the command `serve`: puts the parts together, and takes them apart on SIGTERM. Imports all other
 * folders but replicate.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { SECRET_KEY } from '@causeway/crds';
import type { CertificateState, GatewayConfig, InnerState, RemoteKeySet } from '@causeway/crds';
import { MountedKeys, RemoteKeys, TokenVerifier } from '../auth/index.ts';
import type { KeySource } from '../auth/index.ts';
import { loadGatewayConfig } from '../config/index.ts';
import { readCredentials } from '../etcd/index.ts';
import { createLog, reason } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { countEvictions, countLookups, countSpans, createZoneMetrics } from '../metrics/index.ts';
import { innerState, readInnerState, watchFiles } from '../mounted/index.ts';
import { names, sayWhenStale } from '../names/index.ts';
import { startTracing } from '../tracing/index.ts';
import { Certificates, startAdminServer } from '../transport/index.ts';
import { DrainRequest } from './drain-request.ts';
import { lookupAddresses, askPod, Witness } from '../witness/index.ts';
import { createEvictor } from './evictions.ts';
import { Gateway } from './gateway.ts';
import { HomeNotice } from './home-notice.ts';
import { Problems } from './problems.ts';

/** Serves until SIGTERM or SIGINT, then drains and ends the process with exit code 0. Throws ConfigError. */
export async function serve(configFile: string): Promise<void> {
  const config = await loadGatewayConfig(configFile);
  const podName = process.env['POD_NAME'] ?? hostname();
  const zone = process.env['ZONE'];
  const log = createLog({ component: 'gateway', platform: config.platform, zone });
  logWarnings(log);
  sayWhenStale(names, log);
  const certificates = new Certificates(config.tls.dir, config.tls.annotationsFile, log);
  const keys = tokenKeys(config.auth.jwt, log);
  const verifier = new TokenVerifier(config.auth.jwt, keys.source);
  const { platform, namespace, kafka } = config;
  const pod = { podName, zone: zone ?? '', log };
  const tracing = await startTracing(config.tracing, { platform, namespace, group: kafka.group, ...pod });
  const gateway = new Gateway({ config, certificates, verifier, tracing, ...pod });
  countLookups(gateway.metrics.registry, () => names.counts);
  if (tracing) countSpans(gateway.metrics.registry, () => tracing.spans);
  const witness = new Witness({
    zone: zone ?? '',
    peers: config.peers,
    log,
    lookup: lookupAddresses,
    ask: askPod,
    now: () => performance.now(),
    unixNow: () => Date.now(),
    random: Math.random,
  });
  createZoneMetrics(gateway.metrics.registry, () => witness.view);
  const evicted = countEvictions(gateway.metrics.registry);
  const evictor = createEvictor({ config, podName, witness, log, evicted });
  const admin = await startAdminServer(config.listen.adminPort, {
    missing: () => gateway.missing(),
    metrics: () => gateway.metrics.registry.metrics(),
    metricsContentType: gateway.metrics.registry.contentType,
    certificate: () => certificateState(certificates, config),
    limits: () => gateway.limits.state,
    drain: () => gateway.drainState,
    zones: () => witness.view,
  });
  log.info('admin endpoint listening', { port: admin.port });
  gateway.start();
  witness.start();
  evictor.start();
  const ended = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const drainRequest = new DrainRequest(config.tls.annotationsFile, log);
  const stopWatching = [
    watchFiles([config.tls.dir, dirname(config.tls.annotationsFile)], async () => {
      // First: one that is to be empty takes no clients when it begins to listen.
      gateway.askToDrain(await drainRequest.read());
      if (await certificates.reload()) await gateway.serveCertificate().catch(fail(log));
    }),
    keys.start(),
    ...followHome({ config, configFile, gateway, log }),
  ];
  await ended;
  await gateway.leave();
  for (const stop of stopWatching) stop();
  evictor.stop();
  witness.stop();
  await gateway.stop();
  await tracing?.close();
  admin.server.close();
  admin.server.closeAllConnections();
  log.info('stopped');
  // The log is asynchronous; the loop ends by itself when nothing is left, and this is what happens if not.
  setTimeout(() => process.exit(), 500).unref();
}

/** What clients are shown, and what is shown to Redis: each connection to it reads the mounted files anew. */
async function certificateState(
  certificates: Certificates,
  { redis: { tlsDir }, etcd }: GatewayConfig,
): Promise<CertificateState | undefined> {
  const { state } = certificates;
  const inner = tlsDir === undefined ? await etcdInnerState(etcd) : await readInnerState(tlsDir);
  return state && { ...state, ...(inner && { inner }) };
}

/** The same of etcd alone. Its Secret may be the user's, without a certificate. */
async function etcdInnerState(etcd: GatewayConfig['etcd']): Promise<InnerState | undefined> {
  const dir = etcd?.dir;
  return dir === undefined ? undefined : innerState(await readCredentials({ endpoints: [], dir }));
}

/** A port that cannot be had is nothing that waiting repairs. */
function fail(log: Log): (error: unknown) => void {
  return (error) => {
    log.error('cannot listen for clients', { reason: reason(error) });
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM');
  };
}

/** What tokens are checked with. `start` begins to read it and returns what ends that. */
interface TokenKeySource {
  source: KeySource;
  start(): () => void;
}

function tokenKeys(config: GatewayConfig['auth']['jwt'], log: Log): TokenKeySource {
  return 'dir' in config ? mountedKeys(config.dir, log) : remoteKeys(config.jwks, log);
}

/** Says once what is wrong with the keys. */
function mountedKeys(dir: string, log: Log): TokenKeySource {
  const source = new MountedKeys(dir);
  const problems = new Problems(log);
  const check = async (): Promise<void> => {
    try {
      if (await source.reload()) log.info('token keys read');
      problems.note('token keys', '');
    } catch (error) {
      problems.note('token keys', reason(error));
    }
  };
  return { source, start: () => watchFiles([dir], check) };
}

function remoteKeys({ url, refreshMs, caDir }: RemoteKeySet, log: Log): TokenKeySource {
  const source = new RemoteKeys({
    url,
    refreshMs,
    ca: () => (caDir === undefined ? undefined : readFileSync(join(caDir, SECRET_KEY.ca), 'utf8')),
    changed: () => log.info('token keys read', { url }),
    failed: (error) => log.warn('token keys not read', { url, problem: reason(error) }),
    now: () => performance.now(),
  });
  return {
    source,
    start: () => {
      source.start();
      return () => source.stop();
    },
  };
}

/** Tells the gateway which zone is home whenever that changes; nothing where nothing is replicated. Returns what ends it. */
function followHome({
  config: { etcd, tls },
  configFile,
  gateway,
  log,
}: {
  config: GatewayConfig;
  configFile: string;
  gateway: Gateway;
  log: Log;
}): (() => void)[] {
  if (!etcd) return [];
  const { annotationsFile } = tls;
  const notice = new HomeNotice({ configFile, annotationsFile, etcd, log });
  const directories = [dirname(configFile), dirname(annotationsFile)];
  return [watchFiles(directories, async () => gateway.follow(await notice.read()))];
}

/** Node prints warnings to standard error; here each line is JSON. */
function logWarnings(log: Log): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    // kafkajs computes negative time-outs (its issue 1751), which Node takes as 1 ms; nothing follows from it.
    if (name !== 'TimeoutNegativeWarning') log.warn('warning', { name, message });
  });
}
