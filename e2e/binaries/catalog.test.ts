import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { binaryNames, catalog, linkFlags, reportsVersion, versions } from './catalog.ts';

const pin = (file: string): string => readFileSync(join(import.meta.dirname, 'modules', file), 'utf8');

test('a version is found in what each program prints, and no other is taken for it', () => {
  assert.ok(reportsVersion('Kubernetes v1.36.3\n', '1.36.3'));
  assert.ok(reportsVersion('Client Version: v1.36.3\nKustomize Version: v5.8.1\n', '1.36.3'));
  assert.ok(reportsVersion('etcd Version: 3.6.6\nGit SHA: abc\n', '3.6.6'));
  assert.ok(reportsVersion('v3.22.0+g4f8a1c2', '3.22.0'));
  assert.ok(!reportsVersion('Kubernetes v1.36.30\n', '1.36.3'));
  assert.ok(!reportsVersion('Kubernetes v11.36.3\n', '1.36.3'));
  assert.ok(!reportsVersion('etcd Version: 3.6.61', '3.6.6'));
});

test('the Go modules and the POMs pin the versions that the catalog names', () => {
  assert.match(pin('kubernetes/go.mod'), new RegExp(`k8s.io/kubernetes v${versions.kubernetes}\n`));
  assert.match(pin('etcd/go.mod'), new RegExp(`go.etcd.io/etcd/server/v3 v${versions.etcd}`));
  assert.match(pin('coredns/go.mod'), new RegExp(`github.com/coredns/coredns v${versions.coredns}\n`));
  assert.match(pin('helm/go.mod'), new RegExp(`helm.sh/helm/v3 v${versions.helm}`));
  assert.match(pin('kwok/go.mod'), new RegExp(`sigs.k8s.io/kwok v${versions.kwok}`));
  assert.match(
    pin('centrifuge/go.mod'),
    new RegExp(`github.com/centrifugal/centrifuge v${versions.centrifuge}\n`),
  );
  assert.match(
    pin('h2spec/go.mod'),
    new RegExp(`github.com/summerwind/h2spec v${versions.h2spec}\\+incompatible`),
  );
  for (const pom of ['kafka', 'mirror-maker'])
    assert.match(pin(`${pom}/pom.xml`), new RegExp(`<kafka.version>${versions.kafka}<`));
});

test('every binary has a package, and Kubernetes gets its version at link time', () => {
  for (const name of binaryNames) assert.ok(catalog[name].package.length > 0, name);
  assert.match(linkFlags('kubernetes'), /gitVersion=v1\.36\.3/);
});
