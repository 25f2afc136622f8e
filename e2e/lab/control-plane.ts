import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { flags, waitFor } from '../tools/index.ts';
import { labPath, network, paths } from './config.ts';
import { assertDaemon, startDaemon } from './daemon.ts';
import { kubectl } from './kubectl.ts';
import type { LabState } from './state.ts';

/** Paths of the binaries that the control plane and the nodes run. */
export type Binaries = Record<
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kubelet'
  | 'kube-proxy'
  | 'kubectl',
  string
>;

const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
    { level: 'None' },
  ],
};

/** Starts etcd and kube-apiserver; doesn't wait for them. */
export async function startApiServer(state: LabState, binaries: Binaries): Promise<void> {
  const etcd = `http://127.0.0.1:${network.etcdPort}`;
  const peer = `http://127.0.0.1:${network.etcdPeerPort}`;
  const etcdArgs = flags({
    name: 'lab',
    'data-dir': labPath('etcd'),
    'listen-client-urls': etcd,
    'advertise-client-urls': etcd,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `lab=${peer}`,
    'unsafe-no-fsync': true,
    'log-level': 'warn',
  });
  await startDaemon(state, { name: 'etcd', command: binaries.etcd, args: etcdArgs });
  const policy = labPath('audit', 'policy.yaml');
  mkdirSync(dirname(policy), { recursive: true });
  writeFileSync(policy, stringify(auditPolicy));
  const apiArgs = flags({
    'etcd-servers': etcd,
    'secure-port': network.apiPort,
    'bind-address': '0.0.0.0',
    'advertise-address': network.hostIp,
    'tls-cert-file': paths.pki('apiserver.crt'),
    'tls-private-key-file': paths.pki('apiserver.key'),
    'client-ca-file': paths.pki('ca.crt'),
    'kubelet-client-certificate': paths.pki('apiserver-kubelet.crt'),
    'kubelet-client-key': paths.pki('apiserver-kubelet.key'),
    'kubelet-certificate-authority': paths.pki('ca.crt'),
    // The nodes' names mean nothing to the host's resolver.
    'kubelet-preferred-address-types': 'InternalIP',
    'service-cluster-ip-range': network.serviceCidr,
    'service-account-key-file': paths.pki('service-account.pub'),
    'service-account-signing-key-file': paths.pki('service-account.key'),
    'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': true,
    'audit-policy-file': policy,
    'audit-log-path': paths.auditLog(),
    'audit-log-maxsize': 100,
    'audit-log-maxbackup': 2,
  });
  await startDaemon(state, { name: 'kube-apiserver', command: binaries['kube-apiserver'], args: apiArgs });
}

/** Waits until the API server says that it is ready. */
export async function waitForApiServer(state: LabState): Promise<void> {
  await waitFor(
    'the API server to be ready',
    async () => (await kubectl(['get', '--raw', '/readyz'])) === 'ok',
    {
      timeoutMs: 60_000,
      intervalMs: 200,
      check: () => ['etcd', 'kube-apiserver'].forEach((name) => assertDaemon(state, name)),
    },
  );
}

/** Starts kube-controller-manager and kube-scheduler. */
export async function startControllers(state: LabState, binaries: Binaries): Promise<void> {
  const managerArgs = flags({
    kubeconfig: paths.pki('controller-manager.kubeconfig'),
    'service-account-private-key-file': paths.pki('service-account.key'),
    'root-ca-file': paths.pki('ca.crt'),
    'cluster-signing-cert-file': paths.pki('ca.crt'),
    'cluster-signing-key-file': paths.pki('ca.key'),
    'use-service-account-credentials': true,
    'leader-elect': false,
    'bind-address': '127.0.0.1',
    'cert-dir': labPath('pki', 'controller-manager'),
    // The default of 40 s makes every test of a lost zone that much longer.
    'node-monitor-grace-period': '16s',
    controllers: '*,-cloud-node-lifecycle-controller,-node-route-controller',
  });
  const manager = {
    name: 'kube-controller-manager',
    command: binaries['kube-controller-manager'],
    args: managerArgs,
  };
  await startDaemon(state, manager);
  const schedulerArgs = flags({
    kubeconfig: paths.pki('scheduler.kubeconfig'),
    'authentication-kubeconfig': paths.pki('scheduler.kubeconfig'),
    'authorization-kubeconfig': paths.pki('scheduler.kubeconfig'),
    'leader-elect': false,
    'bind-address': '127.0.0.1',
    'cert-dir': labPath('pki', 'scheduler'),
  });
  await startDaemon(state, {
    name: 'kube-scheduler',
    command: binaries['kube-scheduler'],
    args: schedulerArgs,
  });
}
