import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ensureBinaries } from '../binaries/index.ts';
import { flags, freePort } from '../tools/index.ts';
import { startEtcd } from './etcd.ts';
import { createServer } from './server.ts';
import type { Server } from './server.ts';
import { removeFolder, temporaryFolder } from './supervise.ts';

/** How the control plane is started. */
export interface ControlPlaneOptions {
  /** Write an audit log (level Metadata, writes only). Default false. */
  audit?: boolean;
  /**
   * Also run kube-controller-manager: garbage collection of owned objects, namespace deletion, Deployments to
   * ReplicaSets to (never running) Pods. Default false.
   */
  controllers?: boolean;
  /** More of kube-apiserver's own flags. */
  apiServerArgs?: readonly string[];
  /** More of kube-controller-manager's own flags. */
  controllerArgs?: readonly string[];
}

/** A kube-apiserver with its etcd on loopback: RBAC, Pod Security admission, CRDs, watches; no nodes, no pods run. */
export interface ControlPlane {
  /** Path of a kubeconfig with cluster-admin rights. */
  readonly kubeconfig: string;
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** Bearer token of the kubeconfig's user. */
  readonly token: string;
  /** Path of the audit log, JSON lines; only with `audit`. */
  readonly auditLog: string | undefined;
  /** The API server alone, for tests of an outage. Same port and data after `start()`. */
  readonly apiServer: Pick<Server, 'kill' | 'shutDown' | 'start'>;
  stop(): Promise<void>;
}

const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
    { level: 'None' },
  ],
};

interface Files {
  folder: string;
  serviceAccountKey: string;
  tokens: string;
  audit: string | undefined;
  auditPolicy: string;
}

function writeFiles(folder: string, token: string, audit: boolean): Files {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const files: Files = {
    folder,
    serviceAccountKey: join(folder, 'service-account.key'),
    tokens: join(folder, 'tokens.csv'),
    audit: audit ? join(folder, 'audit.log') : undefined,
    auditPolicy: join(folder, 'audit-policy.yaml'),
  };
  mkdirSync(join(folder, 'certs'));
  writeFileSync(files.serviceAccountKey, privateKey, { mode: 0o600 });
  writeFileSync(files.tokens, `${token},test-admin,test-admin,system:masters\n`, { mode: 0o600 });
  writeFileSync(files.auditPolicy, stringify(auditPolicy));
  return files;
}

function apiServerArgs(files: Files, etcd: string, port: number, more: readonly string[]): string[] {
  const own = flags({
    'etcd-servers': etcd,
    'secure-port': port,
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'endpoint-reconciler-type': 'none',
    'cert-dir': join(files.folder, 'certs'),
    'token-auth-file': files.tokens,
    'authorization-mode': 'RBAC',
    'service-cluster-ip-range': '10.0.0.0/24',
    'allow-privileged': true,
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': files.serviceAccountKey,
    'service-account-signing-key-file': files.serviceAccountKey,
    // Without controllers nobody makes the default service accounts that this plugin insists on.
    'disable-admission-plugins': 'ServiceAccount',
    'audit-policy-file': files.audit && files.auditPolicy,
    'audit-log-path': files.audit,
    'audit-log-mode': files.audit && 'blocking',
  });
  return [...own, ...more];
}

/** GET /readyz with the admin's token. The certificate is the one that the server has just made for itself. */
function isReady(url: string, token: string, caFile: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${url}/readyz`,
      {
        ca: readFileSync(caFile),
        headers: { authorization: `Bearer ${token}` },
        timeout: 2000,
        agent: false,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer within 2 s')));
    call.on('error', reject);
    call.end();
  });
}

function kubeconfig(url: string, token: string, caFile: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name: 'test-admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test-admin' } }],
    'current-context': 'test',
  });
}

function controllerManager(
  command: string,
  files: Files,
  config: string,
  { port, more }: { port: number; more: readonly string[] },
): Server {
  const logFile = join(files.folder, 'kube-controller-manager.log');
  const args = flags({
    kubeconfig: config,
    'service-account-private-key-file': files.serviceAccountKey,
    'use-service-account-credentials': true,
    'leader-elect': false,
    'bind-address': '127.0.0.1',
    'secure-port': port,
    'cert-dir': join(files.folder, 'controller-certs'),
  });
  return createServer({
    command: {
      name: 'kube-controller-manager',
      command,
      args: [...args, ...more],
      cwd: files.folder,
      logFile,
    },
    // It has no readiness of its own that waits for the garbage collector's first sync; its log says so.
    ready: async () => readFileSync(logFile, 'utf8').includes('Proceeding to collect garbage'),
  });
}

/** Starts etcd and kube-apiserver on 127.0.0.1 and waits until the API server is ready. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const names = ['kube-apiserver', 'kube-controller-manager'] as const;
  const binaries = await ensureBinaries(options.controllers ? names : names.slice(0, 1));
  const etcd = await startEtcd();
  const folder = temporaryFolder('apiserver');
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const token = randomBytes(24).toString('hex');
  const files = writeFiles(folder, token, options.audit ?? false);
  const caFile = join(folder, 'certs', 'apiserver.crt');
  const args = apiServerArgs(files, etcd.endpoint, port, options.apiServerArgs ?? []);
  const logFile = join(folder, 'kube-apiserver.log');
  const config = join(folder, 'kubeconfig');
  writeFileSync(config, kubeconfig(url, token, caFile), { mode: 0o600 });
  const apiServer = createServer({
    command: { name: 'kube-apiserver', command: binaries['kube-apiserver'], args, cwd: folder, logFile },
    ready: () => isReady(url, token, caFile),
  });
  const servers: Server[] = [etcd, apiServer];
  const stop = async (): Promise<void> => {
    for (const server of servers.toReversed()) await server.stop();
    removeFolder(folder);
  };
  try {
    await apiServer.start();
    if (options.controllers) {
      const controllers = controllerManager(binaries['kube-controller-manager'], files, config, {
        port: await freePort(),
        more: options.controllerArgs ?? [],
      });
      servers.push(controllers);
      await controllers.start();
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { kubeconfig: config, url, token, auditLog: files.audit, apiServer, stop };
}
