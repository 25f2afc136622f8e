/** All objects of a platform: `desired(platform, observed) → objects`, pure. */
import { createHash } from 'node:crypto';
import { COMPONENT, SECRET_KEY, objectName, parseDuration } from '@causeway/crds';
import {
  encodeSecret,
  type CertificateWish,
  type IssuedSecrets,
  type SecretData,
} from '../certificates/index.ts';
import type { KubeObject } from '../controller/kube-api.ts';
import { desiredEtcd } from './etcd.ts';
import { desiredGateways } from './gateway.ts';
import { KIND } from './kinds.ts';
import { owned } from './objects.ts';
import { desiredRedis } from './redis.ts';
import { desiredReplicators } from './replication.ts';
import type { Images, MessagePlatform } from './types.ts';

/** What was worked out for a platform as the cache has it: most reconciles see the one that the last one saw. */
const known = new WeakMap<MessagePlatform, { images: Images; objects: readonly KubeObject[] }>();

/**
 * Every object of the platform but its Secrets, in the order in which they are made. The answer for the same platform
 * object is the same array, and so are its objects: do not change them.
 */
export function desiredObjects(platform: MessagePlatform, images: Images): readonly KubeObject[] {
  const last = known.get(platform);
  if (last?.images === images) return last.objects;
  const objects = allObjects(platform, images);
  known.set(platform, { images, objects });
  return objects;
}

function allObjects(platform: MessagePlatform, images: Images): KubeObject[] {
  const objects = [
    ...desiredRedis(platform, images),
    ...desiredEtcd(platform, images),
    ...desiredReplicators(platform, images),
    ...desiredGateways(platform, images),
  ];
  // What pods refer to goes before the pods.
  const late = new Set(['Deployment', 'StatefulSet']);
  return [
    ...objects.filter((object) => !late.has(object.kind)),
    ...objects.filter((object) => late.has(object.kind)),
  ];
}

/** The platform's Secrets. The authority goes first: what it signs is worth nothing without it. */
export function desiredSecrets(platform: MessagePlatform, issued: IssuedSecrets): KubeObject[] {
  const name = platform.metadata.name;
  const secret = (secretName: string, component: string, data: SecretData): KubeObject =>
    owned(
      platform,
      KIND.secret,
      { name: secretName, component },
      { type: 'Opaque', data: encodeSecret(data) },
    );
  return [
    secret(objectName.authority(name), 'certificates', issued.authority),
    secret(objectName.internal(name), 'certificates', issued.inner),
    secret(objectName.client(name), 'certificates', issued.client),
    ...(issued.served === undefined ? [] : [secret(objectName.tls(name), COMPONENT.gateway, issued.served)]),
  ];
}

/** What the platform wants of its certificates. `supplied`: the Secret of tls.issuer?.secretRef, once it is good. */
export function certificateWish(
  platform: MessagePlatform,
  supplied: SecretData | undefined,
): CertificateWish {
  const { namespace, name } = platform.metadata;
  const { tls, zones } = platform.spec;
  const service = (serviceName: string): string[] => [
    `${serviceName}.${namespace}.svc`,
    `${serviceName}.${namespace}.svc.cluster.local`,
    `${serviceName}.${namespace}`,
    serviceName,
  ];
  const each = (of: (platformName: string, zone: string) => string): string[] =>
    zones.flatMap((zone) => service(of(name, zone.name)));
  return {
    servedNames: [
      ...service(objectName.gateway(name)),
      ...each(objectName.zoneGateway),
      ...(tls.dnsNames ?? []),
    ],
    innerNames: [
      ...service(objectName.redis(name)),
      ...service(objectName.etcd(name)),
      ...each(objectName.zoneRedis),
      ...each(objectName.zoneEtcd),
      'localhost',
    ],
    duration: parseDuration(tls.duration),
    renewBefore: spreadRenewal(platform, tls),
    authority: {
      duration: parseDuration(tls.authority.duration),
      renewBefore: spreadRenewal(platform, tls.authority),
    },
    ticketKeyLifetime: parseDuration(tls.ticketKeyLifetime),
    isSupplied: tls.issuer?.secretRef !== undefined,
    ...(supplied?.[SECRET_KEY.cert] === undefined ? {} : { supplied }),
  };
}

/** Part of `renewBefore` by which a renewal may come earlier. */
const RENEWAL_SPREAD = 0.1;

/**
 * How long before the end this platform renews, milliseconds: up to a tenth more than asked for, by its UID, so that
 * platforms that were made together do not renew together. Always less than the lifetime.
 */
export function spreadRenewal(
  { metadata }: Pick<MessagePlatform, 'metadata'>,
  times: { duration: string; renewBefore: string },
): number {
  const duration = parseDuration(times.duration);
  const renewBefore = parseDuration(times.renewBefore);
  const digest = createHash('sha256')
    .update(metadata.uid ?? metadata.name)
    .digest();
  const share = digest.readUInt32BE(0) / 2 ** 32;
  // What is issued must rest a while before it is due again, however close the two settings are.
  const room = (duration - renewBefore) / 2;
  return renewBefore + Math.floor(share * Math.min(RENEWAL_SPREAD * renewBefore, room));
}
