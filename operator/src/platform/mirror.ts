/** How far the mirror of a platform's topics is behind, asked of both clusters. */
import { kafkaTopic } from '@causeway/crds';
import type { MirrorSight } from '../failover/index.ts';
import type { KafkaAdmin } from './kafka.ts';
import { mirrorLag, mirroredTopic, offsetSyncsTopic } from './mirror-lag.ts';
import type { MessagePlatform } from './types.ts';
import { kafkaAccess, mirrorAccess, type UserSecrets } from './user-secrets.ts';

/**
 * Undefined: there is no mirror, or a Secret for it is missing. The copies are asked before the source: what is written
 * meanwhile makes the lag look longer, never shorter. Throws KafkaFailure.
 */
export async function lookAtMirror(
  kafka: Pick<KafkaAdmin, 'ends' | 'offsetSyncs'>,
  platform: MessagePlatform,
  secrets: UserSecrets,
): Promise<MirrorSight | undefined> {
  const { mirror } = platform.spec.kafka;
  const [here, there] = [kafkaAccess(platform, secrets), mirrorAccess(platform, secrets)];
  if (mirror === undefined || here === undefined || there === undefined) return undefined;
  const topics = platform.spec.kafka.topics.map(({ name }) => kafkaTopic(platform.metadata.name, name));
  const nameOf = (topic: string): string =>
    mirroredTopic(topic, mirror.replicationPolicy, mirror.sourceAlias);
  const copies = await kafka.ends(there, topics.map(nameOf));
  const copied = topics.flatMap((topic) =>
    [...(copies.get(nameOf(topic))?.keys() ?? [])].map((partition) => ({ topic, partition })),
  );
  const syncs = await kafka.offsetSyncs(here, offsetSyncsTopic(mirror.targetAlias), copied);
  return mirrorLag(await kafka.ends(here, topics), copies, syncs, nameOf);
}
