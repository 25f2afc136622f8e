import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { run } from '../tools/index.ts';
import { labPath, network, nodes, paths } from './config.ts';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A certificate's file name, subject and names. */
interface Request {
  name: string;
  subject: string;
  san: string;
}

const requests: readonly Request[] = [
  {
    name: 'apiserver',
    subject: '/CN=kube-apiserver',
    san:
      `IP:127.0.0.1,IP:${network.hostIp},IP:${network.serviceIp},DNS:localhost,DNS:kubernetes,` +
      'DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local',
  },
  { name: 'admin', subject: '/O=system:masters/CN=lab-admin', san: 'DNS:lab-admin' },
  { name: 'provisioner', subject: '/O=system:masters/CN=lab-provisioner', san: 'DNS:lab-provisioner' },
  {
    name: 'controller-manager',
    subject: '/CN=system:kube-controller-manager',
    san: 'DNS:controller-manager',
  },
  { name: 'scheduler', subject: '/CN=system:kube-scheduler', san: 'DNS:scheduler' },
  { name: 'kube-proxy', subject: '/CN=system:kube-proxy', san: 'DNS:kube-proxy' },
  { name: 'apiserver-kubelet', subject: '/O=system:masters/CN=apiserver-kubelet', san: 'DNS:apiserver' },
  ...nodes.map((node) => ({
    name: node.name,
    subject: `/O=system:nodes/CN=system:node:${node.name}`,
    san: `DNS:${node.name},IP:${node.ip}`,
  })),
];

async function issue({ name, subject, san }: Request): Promise<void> {
  const [key, csr, crt, ext] = ['key', 'csr', 'crt', 'ext'].map((suffix) => paths.pki(`${name}.${suffix}`));
  writeFileSync(ext ?? '', `subjectAltName=${san}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  await run('openssl', ['req', ...newKey, '-keyout', key ?? '', '-out', csr ?? '', '-subj', subject]);
  const authority = ['-CA', paths.pki('ca.crt'), '-CAkey', paths.pki('ca.key'), '-CAcreateserial'];
  const sign = ['x509', '-req', '-in', csr ?? '', '-out', crt ?? '', '-days', '365', '-extfile', ext ?? ''];
  await run('openssl', [...sign, ...authority]);
}

/** Makes the lab's authority, every certificate, and the kubeconfigs. */
export async function createPki(): Promise<void> {
  mkdirSync(labPath('pki'), { recursive: true, mode: 0o700 });
  const ca = [
    '-keyout',
    paths.pki('ca.key'),
    '-out',
    paths.pki('ca.crt'),
    '-days',
    '365',
    '-subj',
    '/CN=causeway-lab',
  ];
  await run('openssl', ['req', '-x509', ...newKey, ...ca]);
  const key = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await run('openssl', [...key, '-out', paths.pki('service-account.key')]);
  await run('openssl', [
    'pkey',
    '-in',
    paths.pki('service-account.key'),
    '-pubout',
    '-out',
    paths.pki('service-account.pub'),
  ]);
  // One after the other: they share the authority's serial number file.
  for (const request of requests) await issue(request);
  for (const request of requests) writeKubeconfig(request.name, labPath('pki', `${request.name}.kubeconfig`));
  writeKubeconfig('admin', paths.kubeconfig());
}

function base64(pem: string): string {
  return readFileSync(paths.pki(pem)).toString('base64');
}

/** A kubeconfig with everything in it, so that it can be copied. */
function writeKubeconfig(name: string, file: string): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'causeway-lab',
        cluster: {
          server: `https://${network.hostIp}:${network.apiPort}`,
          'certificate-authority-data': base64('ca.crt'),
        },
      },
    ],
    users: [
      {
        name,
        user: { 'client-certificate-data': base64(`${name}.crt`), 'client-key-data': base64(`${name}.key`) },
      },
    ],
    contexts: [{ name: 'causeway-lab', context: { cluster: 'causeway-lab', user: name } }],
    'current-context': 'causeway-lab',
  };
  writeFileSync(file, stringify(config), { mode: 0o600 });
  chmodSync(file, 0o600);
}
