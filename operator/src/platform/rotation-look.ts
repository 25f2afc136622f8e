/** Looks at the pods that a rotation is about: gateways by a handshake, inner links by a handshake or their own word. */
import { ANNOTATION, COMPONENT, LABEL, PORT, SECRET_KEY, certificateKey, objectName } from '@causeway/crds';
import {
  asksLinks,
  failingSince,
  heldVersions,
  inspectCertificate,
  podsToAsk,
  splitBundle,
  trustNeededSince,
  versionShown,
  type HeldSecrets,
  type PodReport,
  type RotatingLink,
  type RotatingPod,
  type Rotation,
} from '../certificates/index.ts';
import { managesEtcd } from './etcd.ts';
import { hasInnerLink } from './gateway.ts';
import { KIND } from './kinds.ts';
import { managesRedis } from './redis.ts';
import type { MessagePlatform } from './types.ts';
import { isServing, startedAt, type Pod } from './workloads.ts';
import type { PlatformWorld } from './world.ts';

/** What was seen. */
export interface RotationSight {
  pods: RotatingPod[];
  links: LinkPod[];
}

/** An end of an inner link, and the step of a rotation that its pod was told of. */
export type LinkPod = RotatingLink & { uid: string; refresh: string | undefined };

/** Asks as much as the rotation's next step needs. */
export async function lookAtRotation(
  world: PlatformWorld,
  platform: MessagePlatform,
  { held, rotation }: { held: HeldSecrets; rotation: Rotation | undefined },
): Promise<RotationSight> {
  const look = new Look(world, platform, held, rotation);
  const all: Pod[] = world.cache.ofPlatform(KIND.pod, platform.metadata);
  const here = all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const [pods, links] = await Promise.all([look.gateways(here), look.links(here)]);
  return { pods, links };
}

class Look {
  readonly #world: PlatformWorld;
  readonly #platform: MessagePlatform;
  readonly #held: HeldSecrets;
  readonly #rotation: Rotation | undefined;

  constructor(
    world: PlatformWorld,
    platform: MessagePlatform,
    held: HeldSecrets,
    rotation: Rotation | undefined,
  ) {
    this.#world = world;
    this.#platform = platform;
    this.#held = held;
    this.#rotation = rotation;
  }

  async gateways(all: readonly Pod[]): Promise<RotatingPod[]> {
    const known = all.filter((pod) => componentOf(pod) === COMPONENT.gateway).map(gatewayPod);
    const asked = new Set(podsToAsk(this.#rotation, known).map((pod) => pod.uid));
    return Promise.all(known.map(async (pod) => (asked.has(pod.uid) ? this.#askGateway(pod) : pod)));
  }

  async #askGateway(pod: AddressedPod): Promise<RotatingPod> {
    const { namespace, name } = this.#platform.metadata;
    const host = pod.address ?? '';
    const isSupplied = this.#platform.spec.tls.issuer?.secretRef !== undefined;
    try {
      const [shown, report] = await Promise.all([
        this.#world.probe.shake({
          host,
          port: PORT.gateway,
          // The name that every version of ours has. A supplied one may have others, and its clients a trust of their own.
          servername: `${objectName.gateway(name)}.${namespace}.svc`,
          ca: isSupplied ? undefined : this.#held.served?.[SECRET_KEY.ca],
        }),
        // A handshake is proof enough; what clients met is known only by this.
        this.#world.probe.report(host).catch((): PodReport => ({})),
      ]);
      // Two versions may have the same certificate, when it is supplied: the one that the pod is told counts.
      const versions = heldVersions(this.#held.served).sort(
        (a, b) => Number(b === pod.told) - Number(a === pod.told),
      );
      const failing = report.version === pod.told ? failingSince(report.handshakes) : undefined;
      return {
        ...pod,
        ...versionShown(shown, this.#held.served, versions),
        ...(failing === undefined ? {} : { failing }),
      };
    } catch (error) {
      return { ...pod, trouble: `no handshake with ${pod.address ?? 'it'}: ${messageOf(error)}` };
    }
  }

  async links(all: readonly Pod[]): Promise<LinkPod[]> {
    const parts: ReadonlySet<string> = new Set([
      COMPONENT.gateway,
      ...(managesRedis(this.#platform) ? [COMPONENT.redis] : []),
      ...(managesEtcd(this.#platform) ? [COMPONENT.etcd, COMPONENT.replicator] : []),
    ]);
    const links = all.filter((pod) => parts.has(componentOf(pod)));
    const asks = asksLinks(this.#rotation);
    return Promise.all(
      links.map(async (pod) => {
        const link = linkPod(pod);
        return asks && link.ready ? { ...link, ...(await this.#askLink(pod)) } : link;
      }),
    );
  }

  async #askLink(pod: Pod): Promise<Pick<RotatingLink, 'trusts' | 'shows' | 'trouble'>> {
    const host = pod.status?.podIP ?? '';
    const component = componentOf(pod);
    try {
      if (component === COMPONENT.redis || component === COMPONENT.etcd)
        return await this.#askStore(pod, host);
      return this.#saidOf(component, await this.#world.probe.report(host));
    } catch (error) {
      return { trusts: undefined, shows: undefined, trouble: `no answer from ${host}: ${messageOf(error)}` };
    }
  }

  /** A store says nothing of its trust. Redis takes it with its pair; etcd at its start. */
  async #askStore(pod: Pod, host: string): Promise<Pick<RotatingLink, 'trusts' | 'shows'>> {
    const { namespace, name } = this.#platform.metadata;
    const zone = pod.metadata.labels?.[LABEL.zone] ?? '';
    const isEtcd = componentOf(pod) === COMPONENT.etcd;
    const { inner } = this.#held;
    const shown = await this.#world.probe.shake({
      host,
      port: isEtcd ? PORT.etcd : PORT.redis,
      servername: `${(isEtcd ? objectName.zoneEtcd : objectName.zoneRedis)(name, zone)}.${namespace}.svc`,
      ca: inner?.[SECRET_KEY.ca],
      client: { cert: inner?.[SECRET_KEY.cert] ?? '', key: inner?.[SECRET_KEY.key] ?? '' },
    });
    const knows = startedAt(pod) >= trustNeededSince(this.#held.authority, this.#world.clock.now());
    return { trusts: !isEtcd || knows, shows: this.#innerVersion(shown.chain[0]) };
  }

  #saidOf(component: string, { bundle, inner }: PodReport): Pick<RotatingLink, 'trusts' | 'shows'> {
    const isGateway = component === COMPONENT.gateway;
    const trusted = [
      ...(isGateway ? [[bundle, this.#held.served] as const] : []),
      ...(this.#hasLink(component) ? [[inner?.bundle, this.#held.inner] as const] : []),
    ];
    return {
      trusts: trusted.every(([known, secret]) =>
        splitBundle(secret?.[SECRET_KEY.ca]).every((pem) =>
          known?.includes(inspectCertificate(pem)?.fingerprint ?? ''),
        ),
      ),
      // One that has no inner link has nothing to change.
      shows: this.#hasLink(component) ? this.#innerVersion(inner?.fingerprint) : this.#wanted(),
    };
  }

  #hasLink(component: string): boolean {
    return component !== COMPONENT.gateway || hasInnerLink(this.#platform);
  }

  #wanted(): number | undefined {
    return this.#rotation?.stage === 'RollBack' ? this.#rotation.from : this.#rotation?.to;
  }

  #innerVersion(fingerprint: string | undefined): number | undefined {
    const { inner } = this.#held;
    return heldVersions(inner).find(
      (version) => inspectCertificate(inner?.[certificateKey(version)])?.fingerprint === fingerprint,
    );
  }
}

/** Versions of the certificate that gateway pods are told to serve. */
export function toldVersions(pods: readonly Pod[]): number[] {
  const here = pods.filter((pod) => componentOf(pod) === COMPONENT.gateway);
  return here.map(gatewayPod).flatMap(({ told }) => (told === undefined ? [] : [told]));
}

/** A gateway pod and its address. */
type AddressedPod = RotatingPod & { address: string | undefined };

function gatewayPod(pod: Pod): AddressedPod {
  const { annotations } = pod.metadata;
  const told = Number(annotations?.[ANNOTATION.certificate]);
  const since = Date.parse(annotations?.[ANNOTATION.certificateSince] ?? '');
  return {
    ...placeOf(pod),
    told: Number.isSafeInteger(told) && told > 0 ? told : undefined,
    toldAt: Number.isNaN(since) ? undefined : since,
    shows: undefined,
    address: pod.status?.podIP,
  };
}

function linkPod(pod: Pod): LinkPod {
  const refresh = pod.metadata.annotations?.[ANNOTATION.refresh];
  return { ...placeOf(pod), refresh, trusts: undefined, shows: undefined };
}

function placeOf(pod: Pod): Pick<RotatingPod, 'name' | 'uid' | 'zone' | 'ready' | 'drains'> {
  const { name, uid = '', labels, annotations } = pod.metadata;
  const ready = isServing(pod) && pod.status?.podIP !== undefined;
  const drains = annotations?.[ANNOTATION.drain] !== undefined;
  return { name, uid, zone: labels?.[LABEL.zone] ?? '', ready, ...(drains && { drains }) };
}

function componentOf(pod: Pod): string {
  return pod.metadata.labels?.[LABEL.component] ?? '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
