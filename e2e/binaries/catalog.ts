/** The versions that tests and the lab run. The folders under modules/ pin the same ones with their checksums. */
export const versions = {
  kubernetes: '1.36.3',
  etcd: '3.6.6',
  coredns: '1.15.0',
  helm: '3.22.0',
  kwok: '0.8.0',
  centrifuge: '0.40.1',
  /** Our own, also the next one; a change of it is a new version. */
  tlsclient: '1.0.0',
  gatewayload: '1.4.0',
  h2spec: '2.2.1',
  kafka: '4.1.1',
} as const;

/** One Go module of ours under modules/: what it builds comes from one `go build`. */
export type ModuleName =
  'kubernetes' | 'etcd' | 'coredns' | 'helm' | 'kwok' | 'centrifuge' | 'tlsclient' | 'gatewayload' | 'h2spec';

/** How one binary is built and how it tells its version. */
export interface Binary {
  module: ModuleName;
  /** Go package to build. */
  package: string;
  /** The file name that `go build -o folder/` gives it. */
  output: string;
  /** Arguments that make it print its version and exit. */
  versionArgs: readonly string[];
}

const kubernetesBinary = (name: string, versionArgs = ['--version']): Binary => ({
  module: 'kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  output: name,
  versionArgs,
});

/** Every binary that we know, by name. */
export const catalog = {
  'kube-apiserver': kubernetesBinary('kube-apiserver'),
  'kube-controller-manager': kubernetesBinary('kube-controller-manager'),
  'kube-scheduler': kubernetesBinary('kube-scheduler'),
  'kube-proxy': kubernetesBinary('kube-proxy'),
  kubelet: kubernetesBinary('kubelet'),
  kubectl: kubernetesBinary('kubectl', ['version', '--client']),
  etcd: {
    module: 'etcd',
    package: 'go.etcd.io/etcd/server/v3',
    output: 'server',
    versionArgs: ['--version'],
  },
  etcdctl: {
    module: 'etcd',
    package: 'go.etcd.io/etcd/etcdctl/v3',
    output: 'etcdctl',
    versionArgs: ['version'],
  },
  etcdutl: {
    module: 'etcd',
    package: 'go.etcd.io/etcd/etcdutl/v3',
    output: 'etcdutl',
    versionArgs: ['version'],
  },
  coredns: {
    module: 'coredns',
    package: 'causeway.dev/e2e/binaries/coredns',
    output: 'coredns',
    versionArgs: ['-version'],
  },
  helm: {
    module: 'helm',
    package: 'helm.sh/helm/v3/cmd/helm',
    output: 'helm',
    versionArgs: ['version', '--short'],
  },
  kwok: { module: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok', output: 'kwok', versionArgs: ['--version'] },
  centrifuge: {
    module: 'centrifuge',
    package: 'causeway.dev/e2e/binaries/centrifuge',
    output: 'centrifuge',
    versionArgs: ['-version'],
  },
  tlsclient: {
    module: 'tlsclient',
    package: 'causeway.dev/e2e/binaries/tlsclient',
    output: 'tlsclient',
    versionArgs: ['-version'],
  },
  gatewayload: {
    module: 'gatewayload',
    package: 'causeway.dev/e2e/binaries/gatewayload',
    output: 'gatewayload',
    versionArgs: ['-version'],
  },
  h2spec: {
    module: 'h2spec',
    package: 'github.com/summerwind/h2spec/cmd/h2spec',
    output: 'h2spec',
    versionArgs: ['--version'],
  },
} as const satisfies Record<string, Binary>;

/** The name of a binary that {@link catalog} knows. */
export type BinaryName = keyof typeof catalog;

/** All names, in the order of the catalog. */
export const binaryNames = Object.keys(catalog) as BinaryName[];

/** Whether a word is the name of a binary that we know. */
export function isBinaryName(name: string): name is BinaryName {
  return Object.hasOwn(catalog, name);
}

/** The version of a binary that we want, without a leading "v". */
export function versionOf(name: BinaryName): string {
  return versions[catalog[name].module];
}

/** What is set at link time: without it Kubernetes nodes report v0.0.0-master, and others a development version. */
export function linkFlags(module: ModuleName): string {
  const version = `v${versions[module]}`;
  const variables: Record<ModuleName, string[]> = {
    kubernetes: [`k8s.io/component-base/version.gitVersion=${version}`],
    etcd: [],
    coredns: [],
    helm: [`helm.sh/helm/v3/internal/version.version=${version}`],
    kwok: [`sigs.k8s.io/kwok/pkg/consts.Version=${version}`],
    centrifuge: [],
    tlsclient: [],
    gatewayload: [],
    h2spec: [`main.VERSION=${version}`],
  };
  return ['-s', '-w', ...variables[module].map((variable) => `-X ${variable}`)].join(' ');
}

/** Whether a binary's version output names exactly the wanted version (so that 1.36.3 isn't found in 1.36.30). */
export function reportsVersion(output: string, wanted: string): boolean {
  const escaped = wanted.replaceAll('.', String.raw`\.`);
  return new RegExp(String.raw`(^|[^0-9.])v?${escaped}($|[^0-9.]|\.$)`, 'm').test(output);
}
