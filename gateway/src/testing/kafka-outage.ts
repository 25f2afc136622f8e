/** A Kafka that loses one of its brokers as a zone's network loses it. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { KafkaBroker } from '../../../e2e/harness/index.ts';

/** What brokers are configured with that are to be cut off. */
export const CAN_BE_CUT_OFF: Readonly<Record<string, string>> = {
  'socket.listen.backlog.size': '1',
};

/** A broker that stands still, and takes no connection any more, as the network has it that loses all packets. */
export async function cutOff(broker: KafkaBroker): Promise<() => void> {
  const pid = broker.pid();
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGSTOP');
  const port = Number(broker.address.split(':')[1]);
  // These are what its queue of connections holds; who comes after them gets no answer from the kernel either.
  const sockets: Socket[] = Array.from({ length: 3 }, () =>
    connect(port, '127.0.0.1').on('error', () => undefined),
  );
  return () => {
    for (const socket of sockets) socket.destroy();
    process.kill(pid, 'SIGCONT');
  };
}
