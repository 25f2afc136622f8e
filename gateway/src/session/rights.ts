import type { ChannelOptions } from '@causeway/crds';
import type { Right } from '../auth/index.ts';

/** What decides about a right in one channel. */
export interface Standing {
  /** Options of the channel's topic. */
  options: Pick<ChannelOptions, 'subscribe' | 'publish'>;
  /** The client is subscribed to it. */
  subscribed: boolean;
  /** Whether a token says that the client has the right in this channel. */
  readonly granted: (right: Right) => boolean;
}

/**
 * Whether a client may do what `right` names. Tokens only add to what the options allow everybody. Who may subscribe
 * may ask for presence and history too: subscribing would show them.
 */
export function may(right: Right, { options, subscribed, granted }: Standing): boolean {
  switch (right) {
    case 'sub':
      return options.subscribe === 'Authenticated' || granted('sub');
    case 'pub':
      if (options.publish === 'Authenticated') return true;
      return (options.publish === 'Subscribers' && subscribed) || granted('pub');
    default:
      return options.subscribe === 'Authenticated' || subscribed || granted('sub') || granted(right);
  }
}
