import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zonesOf } from './entry.ts';

test('a connection is in the zone of the pod that answers it', () => {
  const lines = [
    'tcp      6 86397 ESTABLISHED src=198.18.0.1 dst=10.96.7.8 sport=40000 dport=443 src=10.244.1.5 dst=198.18.0.12 sport=8443 dport=40000 [ASSURED] mark=0 use=1',
    'tcp      6 86397 ESTABLISHED src=198.18.0.1 dst=10.96.7.8 sport=40001 dport=443 src=10.244.3.17 dst=198.18.0.12 sport=8443 dport=1025 [ASSURED] mark=0 use=1',
    'tcp      6 110 TIME_WAIT src=198.18.0.1 dst=10.96.7.8 sport=40002 dport=443 src=10.244.2.5 dst=198.18.0.12 sport=8443 dport=40002 [ASSURED] mark=0 use=1',
    'tcp      6 86397 ESTABLISHED src=198.18.0.1 dst=10.96.7.8 sport=40003 dport=443 src=192.0.2.1 dst=198.18.0.12 sport=8443 dport=1 [ASSURED] mark=0 use=1',
  ];
  assert.deepEqual(
    [...zonesOf(`${lines.join('\n')}\n`)],
    [
      [40000, 'zone-a'],
      [40001, 'zone-c'],
    ],
  );
});
