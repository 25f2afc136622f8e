import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MessagePlatformStatus } from '@causeway/crds';
import type { KubeEvent } from '../controller/index.ts';
import type { MessagePlatform } from '../platform/index.ts';
import { ordersPlatform } from '../platform/testing/orders.ts';
import { styleOf } from './io.ts';
import { listText, statusText } from './status-text.ts';
import { statusView } from './status-view.ts';

const NOW = Date.parse('2026-11-26T16:00:00Z');
const plain = styleOf({ colour: false });
const text = { style: plain, now: NOW };

type Conditions = NonNullable<MessagePlatformStatus['conditions']>;

function condition(
  type: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
): Conditions[number] {
  const lastTransitionTime = '2026-11-26T15:56:48Z';
  return { type, status, reason, message, lastTransitionTime, observedGeneration: 1 };
}

/** As after examples/orders.yaml came up; `change` spoils it. */
function readyPlatform(
  change: (platform: MessagePlatform & { status: MessagePlatformStatus }) => void = () => undefined,
): MessagePlatform {
  return ordersPlatform((platform) => {
    const status: MessagePlatformStatus = {
      observedGeneration: 1,
      homeZone: 'zone-a',
      epoch: 1,
      gateways: { ready: 6, desired: 6, summary: '6/6' },
      conditions: [
        condition('Ready', 'True', 'AllPartsReady', 'All 6 parts work.'),
        condition('Reconciling', 'False', 'Settled', 'Nothing is in progress.'),
        condition('Stalled', 'False', 'NotStalled', 'Nothing waits for a person.'),
        condition('TopicsReady', 'True', 'AsDesired', '1 of 1 topics are as asked for.'),
      ],
      zones: ['zone-a', 'zone-b', 'zone-c'].map((name) => ({
        name,
        home: name === 'zone-a',
        nodes: 1,
        gatewaysReady: 2,
        gatewaysDesired: 2,
        redis: name === 'zone-a' ? 'Primary' : 'Replica',
        etcd: 'Ready',
        replicator: name === 'zone-a' ? 'None' : 'Ready',
      })),
      topics: [{ name: 'orders.chat', state: 'Ready', owned: true, partitions: 6, replicationFactor: 3 }],
      topicsSummary: '1/1',
      certificates: {
        version: 1,
        fingerprint: 'ab'.repeat(32),
        notAfter: '2027-02-21T12:00:00Z',
        authorityNotAfter: '2036-11-20T12:00:00Z',
      },
      endpoints: {
        gateway: 'wss://orders-gateway.messaging.svc/connection/websocket',
        etcd: 'https://orders-etcd.messaging.svc:2379',
      },
    };
    platform.status = status;
    change(platform as MessagePlatform & { status: MessagePlatformStatus });
  });
}

function event(minutesAgo: number, change: Partial<KubeEvent> = {}): KubeEvent {
  const eventTime = new Date(NOW - minutesAgo * 60_000).toISOString();
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `orders.${minutesAgo}` },
    eventTime,
    reportingController: 'causeway.dev/operator',
    reportingInstance: 'operator-0',
    type: 'Normal',
    reason: 'TopicCreated',
    action: 'Topic',
    note: `Created topic number ${minutesAgo}.`,
    regarding: { apiVersion: 'causeway.dev/v1alpha1', kind: 'MessagePlatform', name: 'orders', uid: 'u-1' },
    ...change,
  };
}

describe('the status of a platform in text', () => {
  it('shows one that is well', () => {
    assert.equal(
      statusText(statusView(readyPlatform(), [event(5), event(1)], NOW), text),
      `MessagePlatform messaging/orders
Ready        True (AllPartsReady)
Home         zone-a (epoch 1)
Gateways     6 of 6 ready
Certificate  version 1, expires in 86d
Generation   1 (seen)
Age          3d4h
Gateway      wss://orders-gateway.messaging.svc/connection/websocket
etcd         https://orders-etcd.messaging.svc:2379

  CONDITION    STATUS  SINCE  REASON         MESSAGE
  Ready        True    3m12s  AllPartsReady  All 6 parts work.
  Reconciling  False   3m12s  Settled        Nothing is in progress.
  Stalled      False   3m12s  NotStalled     Nothing waits for a person.
  TopicsReady  True    3m12s  AsDesired      1 of 1 topics are as asked for.

  ZONE    HOME  NODES  GATEWAYS  REDIS    ETCD   REPLICATOR
  zone-a  home  1      2/2       Primary  Ready  None
  zone-b        1      2/2       Replica  Ready  Ready
  zone-c        1      2/2       Replica  Ready  Ready

  TOPIC        STATE  PARTITIONS  REPLICAS  MADE-BY   MESSAGE
  orders.chat  Ready  6           3         Causeway

  LAST SEEN  TYPE    EVENT         MESSAGE
  1m         Normal  TopicCreated  Created topic number 1.
  5m         Normal  TopicCreated  Created topic number 5.
`,
    );
  });

  it('makes what is not well stand out, and does not say it twice', () => {
    const refused = 'Topic orders.chat has 12 partitions and the platform asks for 6.';
    const platform = readyPlatform(({ status }) => {
      status.conditions = [
        condition('Ready', 'False', 'FewerPartitions', `Topics: ${refused} Gateways: Waiting.`),
        condition('Reconciling', 'True', 'Progressing', 'In progress: Gateways.'),
        condition('Stalled', 'True', 'FewerPartitions', `Topics: ${refused}`),
        condition('TopicsReady', 'False', 'FewerPartitions', refused),
        condition('GatewaysReady', 'False', 'Progressing', 'Waiting.'),
      ];
      status.topics = [
        {
          name: 'orders.chat',
          state: 'Refused',
          owned: false,
          partitions: 12,
          replicationFactor: 3,
          message: refused,
        },
      ];
      status.zones = [
        {
          name: 'zone-a',
          home: true,
          nodes: 1,
          gatewaysReady: 1,
          gatewaysDesired: 2,
          redis: 'Primary',
          etcd: 'Ready',
          replicator: 'None',
        },
        {
          name: 'zone-b',
          home: false,
          nodes: 0,
          gatewaysReady: 0,
          gatewaysDesired: 2,
          redis: 'NotReady',
          etcd: 'NotReady',
          replicator: 'NotReady',
        },
      ];
      status.certificates = { version: 3, notAfter: '2026-12-10T16:00:00Z' };
    });
    assert.equal(
      statusText(
        statusView(
          platform,
          [
            event(1, {
              type: 'Warning',
              reason: 'FewerPartitions',
              note: refused,
              series: { count: 4, lastObservedTime: '2026-11-26T15:59:50Z' },
            }),
          ],
          NOW,
        ),
        text,
      ),
      `MessagePlatform messaging/orders
Ready        False (FewerPartitions)
Home         zone-a (epoch 1)
Gateways     6 of 6 ready
Certificate  version 3, expires in 14d, renewal is due
Generation   1 (seen)
Age          3d4h
Gateway      wss://orders-gateway.messaging.svc/connection/websocket
etcd         https://orders-etcd.messaging.svc:2379

  CONDITION      STATUS  SINCE  REASON           MESSAGE
! Ready          False   3m12s  FewerPartitions  See below.
~ Reconciling    True    3m12s  Progressing      In progress: Gateways.
! Stalled        True    3m12s  FewerPartitions  See below.
! TopicsReady    False   3m12s  FewerPartitions  Topic orders.chat has 12 partitions and the platform asks for 6.
~ GatewaysReady  False   3m12s  Progressing      Waiting.

  ZONE    HOME  NODES  GATEWAYS  REDIS     ETCD      REPLICATOR
~ zone-a  home  1      1/2       Primary   Ready     None
! zone-b        0      0/2       NotReady  NotReady  NotReady

  TOPIC        STATE    PARTITIONS  REPLICAS  MADE-BY  MESSAGE
! orders.chat  Refused  12          3         others   Topic orders.chat has 12 partitions and the platform asks for 6.

  LAST SEEN  TYPE     EVENT            MESSAGE
~ 10s        Warning  FewerPartitions  Topic orders.chat has 12 partitions and the platform asks for 6. (4 times)
`,
    );
  });

  it('does not call a platform ready whose latest change nobody has seen', () => {
    const platform = readyPlatform(({ metadata }) => {
      metadata.generation = 2;
      metadata.annotations = { 'causeway.dev/paused': 'true' };
    });
    const lines = statusText(statusView(platform, [], NOW), text).split('\n');
    assert.deepEqual(lines.slice(0, 3), [
      'MessagePlatform messaging/orders (paused)',
      'Ready        Unknown (NotSeen)',
      '             The operator has not looked at the latest change yet (it saw generation 1 of 2). Before that: All 6 parts work.',
    ]);
    assert.ok(lines.includes('Generation   2 (the operator saw 1)'));
  });

  it('says so when no operator has seen the platform, and when events may not be read', () => {
    assert.equal(
      statusText(statusView(ordersPlatform(), undefined, NOW), text),
      `MessagePlatform messaging/orders
Ready        Unknown (NotSeen)
             No operator has looked at it yet. Check that the operator runs and watches this namespace.
Home         -
Gateways     0 of 0 ready
Certificate  none yet
Generation   1 (the operator saw 0)
Age          3d4h

Events may not be read with these rights.
`,
    );
  });

  it('wraps long lines at the width of a terminal', () => {
    const platform = readyPlatform(({ status }) => {
      status.conditions = [
        condition('TopicsReady', 'False', 'KafkaUnreachable', 'Kafka at kafka.kafka:9092 cannot be reached.'),
      ];
    });
    const lines = statusText(statusView(platform, [], NOW), { ...text, width: 80 }).split('\n');
    assert.ok(
      lines.every((line) => line.length <= 80),
      lines.join('\n'),
    );
    const start = lines.findIndex((line) => line.startsWith('! TopicsReady'));
    assert.deepEqual(lines.slice(start, start + 2), [
      '! TopicsReady  False   3m12s  KafkaUnreachable  Kafka at kafka.kafka:9092 cannot',
      '                                                be reached.',
    ]);
  });
});

describe('the status of a platform as data', () => {
  it('has the last five events of this platform only, newest first', () => {
    const events = [
      event(9),
      event(1),
      event(3),
      event(2),
      event(5),
      event(4),
      event(0, {
        regarding: { apiVersion: 'v1', kind: 'MessagePlatform', name: 'orders', uid: 'an-earlier-one' },
      }),
      event(0, { regarding: { apiVersion: 'v1', kind: 'Pod', name: 'orders' } }),
    ];
    assert.deepEqual(
      statusView(readyPlatform(), events, NOW).events?.map(({ message }) => message),
      [1, 2, 3, 4, 5].map((minutes) => `Created topic number ${minutes}.`),
    );
  });

  it('knows how long the certificate is good', () => {
    const at = (notAfter: string): unknown => {
      const platform = readyPlatform(({ status }) => (status.certificates = { version: 1, notAfter }));
      const { expiresInDays, renewalDue } = statusView(platform, [], NOW).certificate ?? {};
      return { expiresInDays, renewalDue };
    };
    assert.deepEqual(at('2027-02-21T12:00:00Z'), { expiresInDays: 86, renewalDue: false });
    assert.deepEqual(at('2026-12-10T16:00:00Z'), { expiresInDays: 14, renewalDue: true });
    assert.deepEqual(at('2026-11-26T15:00:00Z'), { expiresInDays: -1, renewalDue: true });
  });

  it('keeps its shape', () => {
    assert.deepEqual(Object.keys(statusView(readyPlatform(), [], NOW)).sort(), [
      'certificate',
      'conditions',
      'createdAt',
      'deleting',
      'endpoints',
      'epoch',
      'events',
      'gateways',
      'generation',
      'homeZone',
      'message',
      'name',
      'namespace',
      'observedGeneration',
      'paused',
      'ready',
      'reason',
      'topics',
      'zones',
    ]);
  });
});

describe('all platforms in a table', () => {
  it('has a line for each', () => {
    const expired = readyPlatform(({ metadata, status }) => {
      metadata.name = 'news';
      status.certificates = { version: 1, notAfter: '2026-11-26T13:00:00Z' };
      status.conditions = [
        condition('Ready', 'False', 'CertificateExpired', 'x'),
        condition('Stalled', 'True', 'CertificateExpired', 'x'),
      ];
    });
    const views = [readyPlatform(), expired, ordersPlatform()].map((platform) =>
      statusView(platform, undefined, NOW),
    );
    assert.equal(
      listText(views, { ...text, namespaces: true }),
      `  NAMESPACE  NAME    READY    REASON              HOME    GATEWAYS  TOPICS  CERT-EXPIRES  AGE
  messaging  orders  True     AllPartsReady       zone-a  6/6       1/1     86d           3d4h
! messaging  news    False    CertificateExpired  zone-a  6/6       1/1     3h ago        3d4h
~ messaging  orders  Unknown  NotSeen             -       0/0       0/0     -             3d4h
`,
    );
  });
});
