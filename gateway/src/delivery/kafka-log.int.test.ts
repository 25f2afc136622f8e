/** The log that publications go to, with a real Kafka to which the way is lost. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Kafka as KafkaClient } from 'kafkajs';
import { waitFor } from '../../../e2e/tools/index.ts';
import type { Log } from '../log/index.ts';
import type { TcpProxy } from '../testing/index.ts';
import { BackendAwayError, createKafka, KafkaLog } from './index.ts';
import { TOPIC } from './testing/group-clients.ts';
import type { GroupClients } from './testing/group-clients.ts';
import { startKafkaByProxy } from './testing/kafka-by-proxy.ts';
import type { KafkaByProxy } from './testing/kafka-by-proxy.ts';

describe('a log whose way to Kafka is lost for a while', { timeout: 120_000 }, () => {
  let kafka: KafkaByProxy;
  let clients: GroupClients;
  let way: TcpProxy;
  /** What kafkajs and the log say. */
  const said: string[] = [];
  const note = (message: string): void => void said.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };

  before(async () => {
    kafka = await startKafkaByProxy();
    ({ way, clients } = kafka);
  });
  after(() => kafka.stop());

  it('writes nothing of a publication any more whose send was given up', async () => {
    /** What kafkajs still does, whoever waits for it. */
    const sends: Promise<unknown>[] = [];
    let failures = 0;
    const client = (over?: AbortSignal): KafkaClient => {
      const connection = { brokers: [`127.0.0.1:${way.port}`] };
      const made = createKafka({ connection, clientId: 'publish', log, ...(over && { over }) });
      const producer = made.producer.bind(made);
      made.producer = (config) => {
        const one = producer(config);
        const send = one.send.bind(one);
        one.send = (record) => {
          const sent = send(record);
          sends.push(sent);
          return sent;
        };
        return one;
      };
      return made;
    };
    const failed = (what: string): void => void (failures += what === 'produce' ? 1 : 0);
    const publications = new KafkaLog({ kafka: client, topics: [TOPIC], log, failed });
    publications.start();
    try {
      await waitFor('the topic is known', () => publications.ready);
      await publications.append(TOPIC, 'chat:a', 'first');
      way.lose();
      way.stall();
      await assert.rejects(publications.append(TOPIC, 'chat:a', 'given up'), BackendAwayError);
      // What is in the held connection would come, as it does after packets were lost. And refused it tries on.
      await waitFor('its connection breaks', () => said.some((message) => message.includes('for 6000 ms')));
      way.cut();
      await waitFor('its send is given up', () => failures > 0);
      way.restore();
      await waitFor('it can be published again', () => publications.ready);
      await publications.append(TOPIC, 'chat:a', 'last');
      await Promise.allSettled(sends);
      assert.deepEqual(await clients.read(), ['first', 'last']);
    } finally {
      await publications.close();
    }
  });
});
