import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chance } from '../controller/testing/index.ts';
import {
  nextRotation,
  RETIRE_GRACE,
  type EndedRotation,
  type RotatingPod,
  type Rotation,
  type RotationInput,
  type RotationPolicy,
  type RotationStage,
} from './rotation.ts';

const ZONES = ['zone-b', 'zone-c', 'zone-a'];
const POLICY: RotationPolicy = {
  zones: ZONES,
  maxUnverified: 1,
  canaryPause: 10_000,
  pauseBetweenZones: 5_000,
  podTimeout: 60_000,
  unavailableZone: 'Wait',
};

/** A pod of the model: what it serves follows what it is told, after `delay`; one with `isDeaf` never moves on. */
interface ModelPod {
  name: string;
  zone: string;
  ready: boolean;
  told: number | undefined;
  toldAt: number | undefined;
  serves: number;
  drains?: boolean;
  /** It was not ready at some time of the rotation: what it serves may be old when it is back. */
  wasAway: boolean;
  delay: number;
  isDeaf: boolean;
}

/** An end of an inner link in the model: it takes what its Secret has `delay` after it is there, or never. */
interface ModelLink {
  name: string;
  zone: string;
  ready: boolean;
  uses: number;
  /** Numbers of the authorities that it trusts. */
  trusts: readonly number[];
  wasAway: boolean;
  delay: number;
  isDeaf: boolean;
}

/** Two pods in each of three zones, a Secret, and a status; the operator may die between any two steps. */
class Model {
  now = 1_000_000;
  rotation: Rotation | undefined;
  last: EndedRotation | undefined;
  requested = true;
  control: RotationInput['control'] = 'Run';
  failover: string | undefined;
  policy = POLICY;
  /** The pod that says that its clients fail. */
  failing: { pod: string; why: string } | undefined;
  current = 3;
  highest = 3;
  versions = new Set([3]);
  /** What it says that it waits for. */
  waitsFor: readonly string[] = [];
  readonly stages: RotationStage[] = [];
  readonly told: string[] = [];
  /** With a new authority: its number is that of the version that it came with. */
  asksAuthority = false;
  authority = 1;
  /** The authority at the start of the rotation. */
  old = 1;
  /** What the Secret of the inner links has, and since when. */
  inner = { uses: 3, trusts: [1], since: 0 };
  links: ModelLink[] = ZONES.map((zone) => ({
    name: `${zone}-etcd`,
    zone,
    ready: true,
    uses: 3,
    trusts: [1],
    wasAway: false,
    delay: 300,
    isDeaf: false,
  }));
  pods: ModelPod[] = ZONES.flatMap((zone) =>
    [0, 1].map((n) => ({
      name: `${zone}-${n}`,
      zone,
      ready: true,
      told: undefined,
      toldAt: undefined,
      serves: 3,
      wasAway: false,
      delay: 300,
      isDeaf: false,
    })),
  );

  /** The pods do what they are told. */
  #follow(): void {
    this.pods = this.pods.map((pod) => {
      const wanted = pod.told ?? this.current;
      const isThere = this.now - (pod.toldAt ?? 0) >= pod.delay && !(pod.isDeaf && wanted !== 3);
      return isThere && pod.ready && this.versions.has(wanted) ? { ...pod, serves: wanted } : pod;
    });
  }

  /** The ends of inner links take what their Secret has. */
  #reload(): void {
    this.links = this.links.map((link) =>
      link.ready && !link.isDeaf && this.now - this.inner.since >= link.delay
        ? { ...link, uses: this.inner.uses, trusts: this.inner.trusts }
        : link,
    );
  }

  #view(pod: ModelPod): RotatingPod {
    const { name, zone, ready, told, toldAt, drains = false } = pod;
    const failing = this.failing?.pod === name && pod.serves !== 3 ? { failing: this.failing.why } : {};
    return { name, uid: name, zone, ready, told, toldAt, shows: pod.serves, drains, ...failing };
  }

  /** What issueDue makes of the Secret. */
  #write(): void {
    this.#writeInner();
    if (this.rotation === undefined) {
      this.versions = new Set([this.current]);
      return;
    }
    const { from, to, stage } = this.rotation;
    this.current = stage === 'Retire' ? to : from;
    this.versions = new Set([from, to]);
    this.highest = Math.max(this.highest, to);
  }

  /** The same for the inner links and the authorities. */
  #writeInner(): void {
    const { from, to, stage, stageSince, authority } = this.rotation ?? { from: this.current, to: 0 };
    const isMoved = stage === 'Verify' || stage === 'Retire';
    if (stage === 'Retire' && authority === true) this.authority = to;
    const isOver = stage === 'Retire' && this.now - (stageSince ?? 0) >= RETIRE_GRACE;
    const old = authority === true && stage === 'Retire' && !isOver ? [this.old] : [];
    const next = authority === true && stage !== 'Retire' ? [to] : [];
    const trusts = [this.authority, ...next, ...old];
    const uses = isMoved ? to : from;
    if (JSON.stringify([uses, trusts]) !== JSON.stringify([this.inner.uses, this.inner.trusts]))
      this.inner = { uses, trusts, since: this.now };
  }

  /** Authority that signed a version. */
  #signer(version: number): number {
    const { to, authority } = this.rotation ?? {};
    if (authority !== true) return this.authority;
    return version === to ? to : this.old;
  }

  /** Whoever is there trusts what whoever is there shows. */
  #checkTrust(): void {
    const here = this.links.filter((link) => link.ready && !link.wasAway);
    const shown = [
      ...this.pods.filter((pod) => pod.ready && !pod.wasAway).map((pod) => pod.serves),
      ...here.map((link) => link.uses),
    ];
    for (const version of shown)
      for (const { name, trusts } of here)
        assert.ok(trusts.includes(this.#signer(version)), `${name} does not trust version ${version}`);
  }

  step(): void {
    this.#write();
    this.#follow();
    this.#reload();
    this.#checkTrust();
    for (const pod of this.pods.filter((one) => one.ready && !one.wasAway)) {
      assert.ok(this.versions.has(pod.serves), `${pod.name} serves what is retired`);
    }
    const next = nextRotation({
      now: this.now,
      rotation: this.rotation,
      last: this.last,
      due: this.requested ? 'Requested' : undefined,
      nextVersion: this.highest + 1,
      authority: this.asksAuthority,
      held: {
        current: this.current,
        versions: [...this.versions],
        trustsOld: this.inner.trusts.length > 1,
      },
      links: this.links.map(({ uses, trusts, ...link }) => ({
        ...link,
        shows: uses,
        trusts: this.inner.trusts.every((number) => trusts.includes(number)),
      })),
      control: this.control,
      failover: this.failover,
      pods: this.pods.map((pod) => this.#view(pod)),
      policy: this.policy,
    });
    const changes = JSON.stringify([next.rotation, next.last]) !== JSON.stringify([this.rotation, this.last]);
    assert.ok(!(changes && next.tell.length > 0), 'the state is saved before each act');
    if (next.rotation !== undefined && this.rotation === undefined) {
      this.requested = false;
      this.old = this.authority;
    }
    if (next.rotation?.stage !== this.rotation?.stage && next.rotation !== undefined)
      this.stages.push(next.rotation.stage);
    const isRetiring = this.rotation?.stage === 'Retire';
    const forward = isRetiring
      ? []
      : next.tell.filter(({ pod, version }) => pod.ready && version === this.rotation?.to);
    if (forward.length > 0) {
      const atATime = this.#unverified.length + forward.length;
      assert.ok(atATime <= this.policy.maxUnverified, 'more pods at a time than may be');
    }
    for (const { pod, version } of next.tell) this.#tell(pod.name, version);
    this.waitsFor = next.waitsFor;
    this.rotation = next.rotation;
    this.last = next.last;
    this.now += Math.max(next.lookAfter ?? 1000, 50);
  }

  #tell(name: string, version: number): void {
    assert.ok(this.versions.has(version), `${name} is told ${version}, which the Secret lacks`);
    this.told.push(`${name}=${version}`);
    this.pods = this.pods.map((pod) =>
      pod.name === name ? { ...pod, told: version, toldAt: this.now } : pod,
    );
  }

  /** Ready pods that are told the new version and do not serve it yet. */
  get #unverified(): ModelPod[] {
    return this.pods.filter((pod) => pod.ready && pod.told === this.rotation?.to && pod.serves !== pod.told);
  }

  changeLink(name: string, how: Partial<ModelLink>): void {
    this.links = this.links.map((link) => (link.name === name ? { ...link, ...how } : link));
  }

  change(name: string, how: Partial<ModelPod>): void {
    this.pods = this.pods.map((pod) => (pod.name === name ? { ...pod, ...how } : pod));
  }

  /** Runs until `done`, at most so many steps. */
  until(done: () => boolean, limit = 2000): void {
    for (let n = 0; n < limit; n += 1) {
      if (done()) return;
      this.step();
    }
    assert.fail(`it did not come about: ${JSON.stringify(this.rotation)}`);
  }

  toEnd(): void {
    this.until(() => this.last !== undefined && this.rotation === undefined);
    this.step();
  }
}

describe('a rotation', () => {
  it('goes through its stages, one pod at a time, zone by zone, the home zone last', () => {
    const model = new Model();
    model.toEnd();
    assert.deepEqual(model.stages, ['Issue', 'Trust', 'Canary', 'Roll', 'Verify', 'Retire']);
    const all = ZONES.flatMap((zone) => [`${zone}-0=4`, `${zone}-1=4`]);
    assert.deepEqual(model.told, [...all, ...all], 'and once more for the new ticket key');
    assert.equal(model.last?.result, 'Completed');
    assert.equal(model.current, 4);
    assert.deepEqual([...model.versions], [4], 'the old version is gone');
  });

  it('takes its pauses, and leaves old tickets their time', () => {
    const model = new Model();
    model.toEnd();
    const { startedAt = 0, finishedAt = 0 } = model.last ?? {};
    const least = POLICY.canaryPause + 2 * POLICY.pauseBetweenZones + RETIRE_GRACE;
    assert.ok(finishedAt - startedAt >= least, `took ${finishedAt - startedAt} ms, at least ${least}`);
    assert.ok(finishedAt - startedAt < least + 20_000, `took ${finishedAt - startedAt} ms`);
  });

  it('rests when nothing is due', () => {
    const model = new Model();
    model.requested = false;
    model.step();
    assert.equal(model.rotation, undefined);
    assert.deepEqual(model.told, []);
  });

  it('takes all pods back when one does not show the new version in time, and says which', () => {
    const model = new Model();
    model.change('zone-c-1', { isDeaf: true });
    model.toEnd();
    assert.equal(model.last?.result, 'RolledBack');
    assert.equal(model.last.pod, 'zone-c-1');
    assert.equal(
      model.last.message,
      'Pod zone-c-1 in zone-c did not show version 4 within 60 s: it shows 3.',
    );
    assert.ok(model.pods.every((pod) => pod.told === undefined || pod.told === 3));
    assert.deepEqual([...model.versions], [3]);
  });

  it('that failed is tried again only after a while, or when somebody asks; no number is used twice', () => {
    const model = new Model();
    model.change('zone-b-0', { isDeaf: true });
    model.toEnd();
    model.requested = true;
    model.change('zone-b-0', { isDeaf: false });
    model.until(() => model.rotation !== undefined);
    assert.equal(model.rotation?.to, 5);
  });

  it('goes back when a person says so, and not any more once it retires', () => {
    for (const stage of ['Canary', 'Roll', 'Verify'] as const) {
      const model = new Model();
      model.until(() => model.rotation?.stage === stage);
      model.control = 'Abort';
      model.toEnd();
      assert.equal(model.last?.result, 'RolledBack', stage);
    }
    const model = new Model();
    model.until(() => model.rotation?.stage === 'Retire');
    model.control = 'Abort';
    model.toEnd();
    assert.equal(model.last?.result, 'Completed');
  });

  it('stands still while it is paused, and then goes on', () => {
    const model = new Model();
    model.until(() => model.rotation?.stage === 'Roll');
    model.control = 'Pause';
    const before = [...model.told];
    for (let n = 0; n < 100; n += 1) model.step();
    assert.deepEqual(model.told, before);
    model.control = 'Run';
    model.toEnd();
    assert.equal(model.last?.result, 'Completed');
  });

  it('waits for a failover: none begins during one, and one under way stands still until it is over', () => {
    for (const stage of [undefined, 'Issue', 'Trust', 'Canary', 'Roll', 'Verify'] as const) {
      const model = new Model();
      if (stage !== undefined) model.until(() => model.rotation?.stage === stage);
      model.failover = 'ZoneFailover drill';
      const before = [...model.told];
      for (let n = 0; n < 100; n += 1) model.step();
      assert.equal(model.rotation?.stage, stage);
      assert.deepEqual([stage, ...model.told], [stage, ...before]);
      assert.deepEqual([stage, ...model.waitsFor], [stage, 'ZoneFailover drill']);
      model.failover = undefined;
      model.toEnd();
      assert.deepEqual([stage, model.last?.result], [stage, 'Completed']);
    }
  });

  it('that goes back or retires does not wait for a failover: pods agree sooner that way', () => {
    for (const stage of ['RollBack', 'Retire'] as const) {
      const model = new Model();
      if (stage === 'RollBack') model.change('zone-c-1', { isDeaf: true });
      model.until(() => model.rotation?.stage === stage);
      model.failover = 'ZoneFailover drill';
      model.toEnd();
      assert.equal(model.last?.result, stage === 'RollBack' ? 'RolledBack' : 'Completed');
    }
  });

  it('waits for a zone that is away, or goes on without it and tells its pods when they are back', () => {
    const away = (model: Model, ready: boolean): void => {
      for (const name of ['zone-c-0', 'zone-c-1']) model.change(name, { ready });
    };
    const waiting = new Model();
    away(waiting, false);
    for (let n = 0; n < 500; n += 1) waiting.step();
    assert.equal(waiting.rotation?.stage, 'Roll');
    assert.deepEqual(waiting.waitsFor, ['zone-c'], 'though others are not done either');
    away(waiting, true);
    waiting.toEnd();
    assert.equal(waiting.last?.result, 'Completed');

    const skipping = new Model();
    skipping.policy = { ...POLICY, unavailableZone: 'Skip' };
    away(skipping, false);
    skipping.toEnd();
    assert.equal(skipping.last?.result, 'Completed');
    assert.ok(skipping.told.includes('zone-c-0=4') && skipping.told.includes('zone-c-1=4'), 'for later');
  });

  it('goes on without a zone that somebody emptied, and tells its pods what to come up with', () => {
    const model = new Model();
    model.change('zone-c-0', { ready: false, drains: true });
    model.change('zone-c-1', { ready: false });
    model.toEnd();
    assert.equal(model.last?.result, 'Completed');
    assert.ok(model.told.includes('zone-c-0=4') && model.told.includes('zone-c-1=4'));
  });

  it('moves pods that start in the middle of it', () => {
    const model = new Model();
    model.until(() => model.rotation?.stage === 'Verify');
    model.change('zone-b-0', { told: undefined, toldAt: undefined, serves: model.current });
    const before = model.told.length;
    model.until(() => model.rotation?.stage === 'Retire');
    assert.deepEqual(model.told.slice(before), ['zone-b-0=4']);
  });

  it('is caught up with by a pod that is still told an older version', () => {
    const model = new Model();
    model.toEnd();
    model.change('zone-c-0', { told: 3, toldAt: 0 });
    model.step();
    assert.equal(model.told.at(-1), 'zone-c-0=4');
  });

  it('brings a new authority: all trust it before any pod shows it, and the old one goes last', () => {
    const model = new Model();
    model.asksAuthority = true;
    model.changeLink('zone-c-etcd', { isDeaf: true });
    for (let n = 0; n < 300; n += 1) model.step();
    assert.equal(model.rotation?.stage, 'Trust', 'it waits for the one that does not know it');
    model.changeLink('zone-c-etcd', { isDeaf: false });
    model.until(() => model.rotation?.stage === 'Retire');
    model.step();
    assert.deepEqual(model.inner.trusts, [4, 1], 'both, until the old one has had its time');
    model.toEnd();
    assert.equal(model.last?.authority, true);
    assert.deepEqual(model.inner.trusts, [4]);
  });

  it('takes all back when an inner link does not use the new pair in time, and says which', () => {
    const model = new Model();
    model.until(() => model.rotation?.stage === 'Verify');
    model.changeLink('zone-b-etcd', { isDeaf: true });
    model.toEnd();
    assert.deepEqual([model.last?.result, model.last?.pod], ['RolledBack', 'zone-b-etcd']);
    assert.equal(
      model.last?.message,
      'Pod zone-b-etcd in zone-b did not use version 4 of the inner certificate within 60 s: it uses 3.',
    );
    assert.deepEqual(model.inner.uses, 3);
    assert.ok(model.pods.every((pod) => pod.told === 3));
  });

  it('goes back at once when the clients of a pod fail since it moved', () => {
    const model = new Model();
    model.until(() => model.rotation?.stage === 'Roll');
    model.failing = { pod: 'zone-b-0', why: '30 of 60 handshakes failed since then (50 %; 0 % before)' };
    model.toEnd();
    assert.equal(model.last?.pod, 'zone-b-0');
    assert.match(
      model.last?.message ?? '',
      /^Pod zone-b-0 in zone-b serves version 4, and 30 of 60 handshakes/,
    );
  });

  it('always ends, and never serves what the Secret lacks, whatever pods do', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const model = new Model();
      const random = chance(seed);
      model.asksAuthority = random() < 0.5;
      model.policy = {
        ...POLICY,
        maxUnverified: 1 + Math.floor(random() * 3),
        unavailableZone: random() < 0.5 ? 'Wait' : 'Skip',
      };
      let n = 0;
      model.until(() => {
        n += 1;
        if (n < 150 && random() < 0.2) disturb(model, random);
        if (n === 150) {
          for (const pod of model.pods) model.change(pod.name, { ready: true });
          for (const link of model.links) model.changeLink(link.name, { ready: true, isDeaf: false });
        }
        return model.rotation === undefined && model.last !== undefined;
      }, 5000);
      model.step();
      assert.equal(model.versions.size, 1, `seed ${seed}`);
    }
  });
});

/** Something happens to a pod. */
function disturb(model: Model, random: () => number): void {
  if (random() < 0.2) {
    disturbLink(model, random);
    return;
  }
  const pod = model.pods[Math.floor(random() * model.pods.length)];
  if (pod === undefined) return;
  const what = random();
  if (what < 0.3) model.change(pod.name, { ready: !pod.ready, wasAway: true });
  // A pod that takes another's place is told nothing yet.
  else if (what < 0.6)
    model.change(pod.name, {
      told: undefined,
      toldAt: undefined,
      isDeaf: false,
      serves: model.current,
    });
  else if (what < 0.9) model.change(pod.name, { delay: Math.floor(random() * 5000) });
  else model.change(pod.name, { isDeaf: random() < 0.5 });
}

/** Something happens to an end of an inner link. One that was away finds what its Secret has when it is back. */
function disturbLink(model: Model, random: () => number): void {
  const link = model.links[Math.floor(random() * model.links.length)];
  if (link === undefined) return;
  const what = random();
  if (what < 0.4) model.changeLink(link.name, { ready: !link.ready, wasAway: true });
  else if (what < 0.8) model.changeLink(link.name, { delay: Math.floor(random() * 5000) });
  else model.changeLink(link.name, { isDeaf: random() < 0.5 });
}
