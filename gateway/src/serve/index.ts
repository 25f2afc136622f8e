/**
 * gateway/src/serve: the command `serve`: puts the parts together, and takes them apart on SIGTERM. Imports all other
 * folders but replicate.
 */
import { once } from 'node:events';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CertificateState, GatewayConfig } from '@causeway/crds';
import { TokenVerifier } from '../auth/index.ts';
import { loadGatewayConfig } from '../config/index.ts';
import { createLog, reason } from '../log/index.ts';
import type { Log } from '../log/index.ts';
import { readInnerState, watchFiles } from '../mounted/index.ts';
import { Certificates, startAdminServer } from '../transport/index.ts';
import { Gateway } from './gateway.ts';

/** How long load balancers get to notice that we are not ready, before clients are sent away. */
const NOTICE_MS = 1_000;

/** Serves until SIGTERM or SIGINT, then drains and ends the process with exit code 0. Throws ConfigError. */
export async function serve(configFile: string): Promise<void> {
  const config = await loadGatewayConfig(configFile);
  const podName = process.env['POD_NAME'] ?? hostname();
  const zone = process.env['ZONE'];
  const log = createLog({ component: 'gateway', platform: config.platform, zone });
  logWarnings(log);
  const certificates = new Certificates(config.tls.dir, config.tls.annotationsFile, log);
  const verifier = new TokenVerifier(config.auth.jwt);
  const gateway = new Gateway({ config, certificates, verifier, podName, zone: zone ?? '', log });
  const admin = await startAdminServer(config.listen.adminPort, {
    missing: () => gateway.missing(),
    metrics: () => gateway.metrics.registry.metrics(),
    metricsContentType: gateway.metrics.registry.contentType,
    certificate: () => certificateState(certificates, config),
  });
  log.info('admin endpoint listening', { port: admin.port });
  gateway.start();
  const ended = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const stopWatching = [
    watchFiles([config.tls.dir, dirname(config.tls.annotationsFile)], async () => {
      if (await certificates.reload()) await gateway.serveCertificate().catch(fail(log));
    }),
    watchFiles([config.auth.jwt.dir], tokenKeys(verifier, log)),
  ];
  await ended;
  gateway.refuseTraffic();
  await delay(Math.min(NOTICE_MS, config.drain.timeoutMs));
  await gateway.drain();
  for (const stop of stopWatching) stop();
  await gateway.stop();
  admin.server.close();
  admin.server.closeAllConnections();
  log.info('stopped');
  // The log is asynchronous; the loop ends by itself when nothing is left, and this is what happens if not.
  setTimeout(() => process.exit(), 500).unref();
}

/** What clients are shown, and what is shown to Redis: each connection to it reads the mounted files anew. */
async function certificateState(
  certificates: Certificates,
  { redis: { tlsDir } }: GatewayConfig,
): Promise<CertificateState | undefined> {
  const { state } = certificates;
  const inner = tlsDir === undefined ? undefined : await readInnerState(tlsDir);
  return state && { ...state, ...(inner && { inner }) };
}

/** A port that cannot be had is nothing that waiting repairs. */
function fail(log: Log): (error: unknown) => void {
  return (error) => {
    log.error('cannot listen for clients', { reason: reason(error) });
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM');
  };
}

/** Reads the token keys again; says once what is wrong with them. */
function tokenKeys(verifier: TokenVerifier, log: Log): () => Promise<void> {
  let problem = '';
  return async () => {
    try {
      if (await verifier.reload()) log.info('token keys read');
      problem = '';
    } catch (error) {
      if (problem !== reason(error)) log.warn('token keys', { problem: reason(error) });
      problem = reason(error);
    }
  };
}

/** Node prints warnings to standard error; here each line is JSON. */
function logWarnings(log: Log): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    // kafkajs computes negative time-outs (its issue 1751), which Node takes as 1 ms; nothing follows from it.
    if (name !== 'TimeoutNegativeWarning') log.warn('warning', { name, message });
  });
}
