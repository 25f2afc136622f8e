/** What the unchanged SDK says, in the words of a history. */
import { SubscriptionState, type Subscription } from 'centrifuge';
import type { Answer, History, Place } from './history.ts';

/** Errors after which a publication may have been taken: 108 (Kafka did not answer), 100, and the SDK's own below 100. */
export function answerOf(error: unknown): Answer {
  const { code } = error as { code?: number };
  return code === undefined || code <= 100 || code === 108 ? 'unknown' : 'refused';
}

/** Who listens, and where that is noted. */
export interface Listener {
  history: History;
  subscriber: string;
  /** The name of a publication, from what it carries. */
  idOf: (data: unknown) => string;
}

/** Notes all that comes of a subscription from now on. */
export function noteSubscription(subscription: Subscription, { history, subscriber, idOf }: Listener): void {
  const { channel } = subscription;
  // The SDK tells nobody of a publication's epoch; it takes it up when its listeners have returned.
  const epochNow = (): string => (subscription as unknown as { _epoch: string })._epoch;
  let unsettled: Place | undefined;
  const settle = (): void => {
    if (unsettled !== undefined) unsettled.epoch = epochNow();
    unsettled = undefined;
  };
  subscription.on('subscribed', ({ wasRecovering, recovered, streamPosition }) => {
    const { epoch, offset } = streamPosition ?? { epoch: undefined, offset: 0 };
    const recovery = recovered ? 'recovered' : wasRecovering ? 'lost' : 'fresh';
    history.add({ kind: 'subscribed', subscriber, channel, recovery, at: { epoch, offset } });
  });
  subscription.on('publication', ({ data, offset }) => {
    const at: Place = { epoch: undefined, offset: Number(offset) };
    history.add({ kind: 'delivered', subscriber, channel, id: idOf(data), at });
    settle();
    unsettled = at;
    queueMicrotask(() => {
      if (subscription.state === SubscriptionState.Subscribed) settle();
    });
  });
}
