/** What a run ended in, in a form that two runs can be compared in: without what may differ from run to run. */
import { ANNOTATION, LABEL } from '@causeway/crds';
import { decodeSecret, inspectCertificate, keyMatches } from '../certificates/index.ts';
import { signedByOne } from '../certificates/inspect.ts';
import { EVENT_KIND } from '../controller/events.ts';
import type { KubeObject } from '../controller/kube-api.ts';
import { LEASE_KIND } from '../controller/lease.ts';
import { FAILOVER_KIND, type FailoverObject } from '../failover/index.ts';
import type { FakeKafka } from './fake-kafka.ts';
import type { FakeKube } from './fake-kube.ts';
import type { FakeRedis } from './fake-redis.ts';
import { isRecord, sameJson, type Json } from './json.ts';

/** Name of a thing → what it is. */
export type State = ReadonlyMap<string, unknown>;

export function finalState({
  kube,
  kafka,
  redis,
}: {
  kube: FakeKube;
  kafka: FakeKafka;
  redis: FakeRedis;
}): State {
  const state = new Map<string, unknown>();
  const objects = kube.all().map(({ object }) => object);
  const names = new Map(
    objects.map((object) => [object.metadata.uid, `uid of ${object.kind} ${object.metadata.name}`]),
  );
  const authority = objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name.endsWith('-ca'));
  for (const object of objects) {
    if (object.kind === EVENT_KIND.kind || object.kind === LEASE_KIND.kind) continue;
    if (object.kind === 'Pod') countPod(state, object);
    else
      state.set(
        `${object.kind} ${plainName(object.metadata.name)}`,
        normalize(object, { names, authority: dataOf(authority)['ca.crt'] }),
      );
  }
  for (const topic of kafka.snapshot().values()) state.set(`topic ${topic.name}`, topic);
  const inner = objects.find(
    ({ kind, metadata }) => kind === 'Secret' && metadata.name.endsWith('-internal'),
  );
  const given = inspectCertificate(dataOf(inner)['tls.crt'])?.fingerprint;
  for (const host of redis.snapshot().keys()) {
    const { certificate, ...seen } = redis.look(host);
    state.set(`redis ${host}`, { ...seen, isUpToDate: certificate === given });
  }
  return state;
}

/**
 * The same state, however often certificates were issued (the number of the served one), and whatever else is still
 * trusted: somebody who deletes a Secret changes both.
 */
export function withoutVersions(state: State): State {
  const found = [...state].find(([name]) => name.startsWith('Secret ') && name.endsWith('-tls'))?.[1];
  const current = isRecord(found) && isRecord(found.data) ? Number(found.data.current) : 0;
  const text = JSON.stringify([...state])
    .replaceAll(
      /tls-(\d+)\.(crt|key)/g,
      (_, n: string, what: string) => `tls-${current - Number(n)} ago.${what}`,
    )
    .replaceAll(/"certificates":\d+/g, '"certificates":"<any>"')
    .replaceAll(/"(ticket\.since|current)":"\d+"/g, '"$1":"<any>"')
    .replaceAll(`"certificates":{"version":${current}`, '"certificates":{"version":"<any>"');
  return new Map(
    (JSON.parse(text) as [string, unknown][]).map(([name, value]) => [
      name,
      name.startsWith('MessagePlatform ') ? withoutRotations(value) : withoutPrevious(value),
    ]),
  );
}

/** An authority that was lost has no tie to the one that took its place. */
function withoutPrevious(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrevious);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([name]) => !/^(f:)?(cross|previous)\.crt$/.test(name));
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutPrevious(inner)]));
}

/** How often certificates were rotated, and how each time ended, depends on what was destroyed and when. */
function withoutRotations(value: unknown): unknown {
  if (Array.isArray(value))
    return value.filter((one) => !(isRecord(one) && one.type === 'Rotating')).map(withoutRotations);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !/^(f:)?(lastRotation|observedRotate)$/.test(name) && !name.includes('"Rotating"'))
      .map(([name, inner]) => [name, withoutRotations(inner)]),
  );
}

/** Pods have names of chance: what counts is how many there are of each template, and whether they are ready. */
function countPod(state: Map<string, unknown>, pod: KubeObject): void {
  const { status } = pod as { status?: { conditions?: { type: string; status: string }[] } };
  const ready = status?.conditions?.some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  );
  const { labels = {}, annotations = {} } = pod.metadata;
  const what = [
    labels[LABEL.component],
    labels[LABEL.zone],
    labels['pod-template-hash'],
    ready === true ? 'ready' : 'not ready',
    ...[annotations[ANNOTATION.home]].flatMap((home) => (home === undefined ? [] : [`told of ${home}`])),
  ];
  const key = `pods ${what.join(' ')}`;
  state.set(key, Number(state.get(key) ?? 0) + 1);
}

interface Names {
  names: ReadonlyMap<string | undefined, string>;
  /** PEM. */
  authority: string | undefined;
}

function dataOf(secret: KubeObject | undefined): Readonly<Record<string, string>> {
  return decodeSecret((secret as { data?: Record<string, string> } | undefined)?.data);
}

function normalize(object: KubeObject, names: Names): Json {
  const { metadata, ...rest } = object as unknown as Json & KubeObject;
  const {
    uid: _uid,
    resourceVersion: _v,
    creationTimestamp: _c,
    generation,
    managedFields,
    ...meta
  } = metadata;
  // What our apply owns shows whether anything was left behind; the others' entries depend on the order of events.
  const owned = managedFields?.filter(
    ({ manager, operation }) => manager === 'causeway' && operation === 'Apply',
  );
  if (object.kind === FAILOVER_KIND.kind) return outcomeOf(object as FailoverObject);
  const isPlatform = object.kind === 'MessagePlatform';
  const body =
    object.kind === 'Secret'
      ? { ...rest, data: describeSecret(rest.data as Record<string, string>, names) }
      : rest;
  return plain(
    { ...body, metadata: { ...meta, owned, ...(isPlatform ? { generation } : {}) } },
    names,
  ) as Json;
}

/** How a failover ended, and by which way; not how long it took, and what it happened to wait for. */
function outcomeOf({ metadata, spec, status = {} }: FailoverObject): Json {
  const { phase, cause, home, epoch, moved, holds, replicas, phases = [] } = status;
  const way = phases.map(({ name, step }) => [name, step]);
  // Of a drill that a schedule makes later less of its window is left.
  const { startingDeadlineSeconds, ...asked } = spec;
  const wish = { ...asked, mustStart: startingDeadlineSeconds !== undefined };
  const ended = { phase, cause, home, epoch, moved, holds, replicas, way };
  return { finalizers: metadata.finalizers, spec: wish, ...ended };
}

/** The name of an automatic Emergency has the second in which it was decided on. */
function plainName(name: string): string {
  return name.replace(/-auto-\d+$/, '-auto-<time>');
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
/** Fields whose value depends on how the run went. */
const INCIDENTAL = new Set(['clusterIP', 'clusterIPs', 'fingerprint', 'observedGeneration']);

function plain(value: unknown, { names }: Names, path: readonly string[] = []): unknown {
  if (typeof value === 'string') return TIME.test(value) ? '<time>' : plainName(names.get(value) ?? value);
  if (Array.isArray(value)) return value.map((each) => plain(each, { names, authority: undefined }, path));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      plainKey(name, names),
      INCIDENTAL.has(name) ? '<any>' : plain(inner, { names, authority: undefined }, [...path, name]),
    ]),
  );
}

/** Keys of owned fields name UIDs. */
function plainKey(name: string, names: Names['names']): string {
  const uid = /^k:\{"uid":"([^"]+)"\}$/.exec(name)?.[1];
  return uid === undefined ? name : `k:${names.get(uid) ?? uid}`;
}

/** Keys and certificates differ in each run; what they are for, who signed them, and whether they fit, does not. */
function describeSecret(data: Record<string, string> | undefined, { authority }: Names): Json {
  const texts = decodeSecret(data);
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, describeText(key, text, { texts, authority })]),
  );
}

function describeText(
  key: string,
  text: string,
  { texts, authority }: { texts: Readonly<Record<string, string>>; authority: string | undefined },
): unknown {
  if (key.endsWith('.crt')) {
    const facts = inspectCertificate(text);
    const keyName = key.replace(/\.crt$/, '.key');
    return {
      isAuthority: facts?.isAuthority,
      dnsNames: facts?.dnsNames,
      keyFits: keyMatches(text, texts[keyName]),
      isOurs: authority !== undefined && signedByOne(text, authority),
      certificates: text.match(/BEGIN CERTIFICATE/g)?.length,
    };
  }
  if (text.includes('PRIVATE KEY')) return '<private key>';
  return key === 'ticket.key' ? `<${text.length} bytes>` : text;
}

/** What differs, for people; empty when nothing does. */
export function differences(expected: State, actual: State): string[] {
  const found: string[] = [];
  for (const [name, value] of expected) {
    if (!actual.has(name)) found.push(`${name} is missing`);
    else if (!sameJson(value, actual.get(name)))
      found.push(...deepDifferences(value, actual.get(name), name));
  }
  for (const name of actual.keys()) if (!expected.has(name)) found.push(`${name} should not be there`);
  return found;
}

function deepDifferences(expected: unknown, actual: unknown, path: string): string[] {
  if (sameJson(expected, actual)) return [];
  if (isRecord(expected) && isRecord(actual)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
    return [...keys].flatMap((key) => deepDifferences(expected[key], actual[key], `${path}.${key}`));
  }
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) {
    return expected.flatMap((each, index) => deepDifferences(each, actual[index], `${path}[${index}]`));
  }
  return [`${path}: expected ${show(expected)}, got ${show(actual)}`];
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
