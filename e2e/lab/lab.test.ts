import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { mountsBelow } from './cleanup.ts';
import { network, nodeOf, nodes } from './config.ts';
import { findImages, imageKey, keyedReference, ownImages } from './image-catalog.ts';
import { parseImageList } from './image-load.ts';
import { labManifests, render, smallKafka } from './manifests.ts';
import { parseVersion } from './preflight.ts';
import { belongsToLab, isContainerOf } from './processes.ts';

test("only the lab's own programs, with the lab's folder in their arguments, are taken for its processes", () => {
  const dir = '/var/lib/causeway-lab';
  assert.ok(belongsToLab('kubelet-1.36.3', ['kubelet', `--config=${dir}/node-a/kubelet.yaml`], dir));
  assert.ok(
    belongsToLab('containerd-shim-runc-v2', ['shim', '-address', `${dir}/node-a/containerd.sock`], dir),
  );
  assert.ok(belongsToLab('node', ['node', 'main.ts', `--lab-dir=${dir}`], dir));
  assert.ok(!belongsToLab('tail', ['tail', '-f', `${dir}/logs/etcd.log`], dir), 'a person reads a log');
  assert.ok(
    !belongsToLab('node', ['node', 'e2e/lab/main.ts', 'logs', `${dir}/x`], dir),
    'the command itself',
  );
  assert.ok(
    !belongsToLab('kubelet', ['kubelet', '--config=/var/lib/kubelet/config.yaml'], dir),
    "the machine's own",
  );
  assert.ok(
    !belongsToLab('etcd', ['etcd', `--data-dir=${dir}-2/etcd`], dir),
    'a lab in a folder with a longer name',
  );
});

test("a process whose root is an overlay in the lab's folder is one of its containers, whatever it runs", () => {
  const dir = '/var/lib/causeway-lab';
  const mounts = (root: string): string =>
    [
      `1126 819 0:365 / / ro,relatime - overlay overlay rw,lowerdir=${root}/8/fs:${root}/3/fs,upperdir=${root}/27/fs`,
      '1127 1126 0:367 / /proc rw,nosuid - proc proc rw',
    ].join('\n');
  const ours = mounts(`${dir}/node-a/containerd/snapshots`);
  assert.ok(isContainerOf(ours, dir));
  assert.ok(isContainerOf(ours, `${dir}/node-a`));
  assert.ok(!isContainerOf(ours, `${dir}/node-b`), 'another node');
  assert.ok(!isContainerOf(mounts(`${dir}-2/node-a/snapshots`), dir), 'a lab in a folder with a longer name');
  assert.ok(!isContainerOf(mounts('/var/lib/docker/overlay2'), dir), "somebody else's container");
  const host = `25 1 254:0 / / rw - ext4 /dev/vda rw\n99 25 0:365 / ${dir}/node-a/run/rootfs rw - overlay overlay rw,lowerdir=${dir}/3/fs`;
  assert.ok(
    !isContainerOf(host, dir),
    "the machine's own processes see the containers' mounts, but not as their root",
  );
});

test('mounts are removed from the inside out, and only those below the folder', () => {
  const mounts = [
    'overlay /lab/a overlay rw 0 0',
    'tmpfs /lab/a/b\\040c tmpfs rw 0 0',
    'ext4 /labor ext4 rw 0 0',
  ].join('\n');
  assert.deepEqual(mountsBelow(mounts, '/lab'), ['/lab/a/b c', '/lab/a']);
});

test("an image's digest is read from containerd's list", () => {
  const list =
    'REF TYPE DIGEST SIZE\nlocalhost/causeway/redis:7 application/vnd.oci.image.manifest.v1+json sha256:ab 45 MiB\n';
  assert.deepEqual([...parseImageList(list)], [['localhost/causeway/redis:7', 'sha256:ab']]);
});

test('a manifest with a placeholder that has no value is an error, not an empty word', () => {
  assert.equal(render('a: ${NAME}', { NAME: 'b' }), 'a: b');
  assert.throws(() => render('a: ${NAME}', {}), /wants \$\{NAME\}/);
});

test('the manifests are whole: three brokers in three zones, one default storage class, DNS at its address', () => {
  interface Item {
    kind: string;
    metadata: { name: string; annotations?: Record<string, string> };
    spec?: { clusterIP?: string; template?: { spec: { nodeSelector?: Record<string, string> } } };
  }
  const items = parseAllDocuments(labManifests()).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Item;
  });
  const brokers = items.filter(({ kind }) => kind === 'StatefulSet');
  const zonesOfBrokers = brokers.map(
    (b) => b.spec?.template?.spec.nodeSelector?.['topology.kubernetes.io/zone'],
  );
  assert.deepEqual(zonesOfBrokers, ['zone-a', 'zone-b', 'zone-c']);
  const dns = items.find(({ kind, metadata }) => kind === 'Service' && metadata.name === 'kube-dns');
  assert.equal(dns?.spec?.clusterIP, network.dnsIp);
  assert.equal(items.filter(({ kind }) => kind === 'StorageClass').length, 1);
});

test('a second Kafka stays in its own namespace', () => {
  const items = parseAllDocuments(smallKafka('kafka-west')).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as { kind: string; metadata: { name: string; namespace?: string } };
  });
  assert.deepEqual(
    items.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? metadata.name}`),
    ['Namespace', 'Service', 'ConfigMap', 'Deployment'].map((kind) => `${kind} kafka-west`),
  );
});

test('names of interfaces fit into the 15 bytes that the kernel gives them, and socket paths into 108', () => {
  for (const name of [network.bridge, ...nodes.map((node) => node.veth)]) assert.ok(name.length <= 15, name);
  assert.ok('/var/lib/causeway-lab/node-a/containerd.sock.ttrpc'.length < 108);
});

test('a zone or an image that does not exist is refused with those that do', () => {
  assert.throws(() => nodeOf('zone-d'), /zone-d.*zone-a, zone-b, zone-c/);
  assert.throws(() => findImages(['nothing']), /nothing; there are pause/);
  assert.deepEqual(
    findImages(['gateway']).map((image) => image.name),
    ['gateway-bun', 'gateway-node'],
  );
});

test("an image's key changes with its Dockerfile and its files, and with nothing else", async () => {
  const [pause] = findImages(['pause']);
  assert.ok(pause);
  const own = import.meta.filename;
  const withFile = { ...pause, files: async () => [{ to: 'a', from: own }] };
  assert.equal(await imageKey(pause), await imageKey({ ...pause }));
  assert.notEqual(await imageKey(pause), await imageKey(withFile));
  assert.notEqual(await imageKey(pause), await imageKey({ ...pause, target: 'other' }));
  const lost = { ...pause, files: async () => [{ to: 'a', from: '/no/such/file' }], hint: 'build it' };
  await assert.rejects(imageKey(lost), /pause needs .*no\/such\/file: build it/);
});

test('our own images change their references with their keys, so that an upgrade rolls what changed; others keep theirs', () => {
  for (const image of ownImages)
    assert.notEqual(keyedReference(image, '0123'), keyedReference(image, '4567'), image.name);
  for (const image of findImages(['redis', 'etcd', 'kafka']))
    assert.equal(keyedReference(image, '0123'), image.reference);
});

test("Go's version is understood", () => {
  assert.deepEqual(parseVersion('go1.26.8\n'), [1, 26]);
  assert.equal(parseVersion('none'), undefined);
});

test('every image starts from BASE or from nothing, and runs as a user by number', () => {
  for (const image of findImages(['pause', 'coredns', 'kafka', 'redis', 'etcd', 'mirror-maker'])) {
    const text = readFileSync(image.dockerfile, 'utf8');
    assert.match(text, /^USER \d+:\d+$/m, image.name);
    assert.equal(/^ARG BASE=/m.test(text), image.usesBase, image.name);
  }
});
