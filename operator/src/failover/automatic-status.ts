/** What `.status.automaticFailover` of a platform keeps. Pure. */
import type { MessagePlatformStatus } from '@causeway/crds';
import { fromRfc3339, toRfc3339 } from '../controller/conditions.ts';
import { defined } from '../controller/defined.ts';
import type { AutomaticDecision, AutomaticState } from './automatic.ts';

export type AutomaticStatus = NonNullable<MessagePlatformStatus['automaticFailover']>;

/** Reads what {@link automaticStatus} wrote. */
export function automaticStateOf(status: MessagePlatformStatus | undefined): AutomaticState {
  const { zones = [], emergencies = [] } = status?.automaticFailover ?? {};
  return {
    zones: zones.map(({ zone, seenBy = [], missedBy = [], unreachableSince }) => ({
      zone,
      seenBy,
      missedBy,
      ...defined({ unreachableSince: fromRfc3339(unreachableSince) }),
    })),
    emergencies: emergencies.map(({ time, ...rest }) => ({ ...rest, at: Date.parse(time) })),
  };
}

/** The whole of it. */
export function automaticStatus({
  reason,
  message,
  state: { zones, emergencies },
}: Pick<AutomaticDecision, 'reason' | 'message' | 'state'>): AutomaticStatus {
  return {
    reason,
    message,
    zones: zones.map(({ zone, seenBy, missedBy, unreachableSince: since }) => ({
      zone,
      seenBy: [...seenBy],
      missedBy: [...missedBy],
      ...(since === undefined ? {} : { unreachableSince: toRfc3339(since) }),
    })),
    ...(emergencies.length === 0
      ? {}
      : { emergencies: emergencies.map(({ at, ...rest }) => ({ ...rest, time: toRfc3339(at) })) }),
  };
}
