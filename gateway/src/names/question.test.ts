import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { questionFor } from './question.ts';

/** As the kubelet writes it. */
const POD = `search shop.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5 timeout:1
`;

describe('a name of the cluster', () => {
  it('is one question', () => {
    assert.equal(questionFor('orders-redis.shop.svc', POD), 'orders-redis.shop.svc.cluster.local.');
    assert.equal(
      questionFor('kafka-a-0.kafka-brokers.kafka.svc.cluster.local', POD),
      'kafka-a-0.kafka-brokers.kafka.svc.cluster.local.',
    );
  });

  it('has the domain that the last search list says', () => {
    const other = `${POD}search shop.svc.k8s.example.com. svc.k8s.example.com. k8s.example.com.\n`;
    assert.equal(questionFor('a.b.svc', other), 'a.b.svc.k8s.example.com.');
    assert.equal(questionFor('a.b.svc.cluster.local', other), 'a.b.svc.cluster.local');
  });
});

describe('any other name', () => {
  it('is asked for as it is', () => {
    for (const host of [
      'localhost',
      'kafka.kafka',
      'broker.example.com',
      'a.b.svc.',
      'svc',
      'a.svc.other.local',
    ])
      assert.equal(questionFor(host, POD), host);
  });

  it('is every name outside of a cluster', () => {
    for (const text of ['', 'nameserver 192.0.2.1\n', 'search example.com\n', '# search svc.cluster.local\n'])
      assert.equal(questionFor('orders-redis.shop.svc', text), 'orders-redis.shop.svc');
  });
});
