import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../deliveries/index.ts';
import { readJournal } from './journal.ts';
import { judge } from './judge.ts';

/** Two clients of one channel, a publisher; client 0 is in the zone that goes at 2,000 ms. */
const LINES = [
  'b 1000000',
  'c 5 0 40000',
  's 9 0 chat:crowd-0 f 0 one',
  'c 10 1 40001',
  's 11 1 chat:crowd-0 f 0 one',
  'c 12 p0 40002',
  'i 1000 1 chat:crowd-0',
  'd 1004 0 1 1',
  'a 1005 1',
  'd 1006 1 1 1',
  'i 2100 2 chat:crowd-0',
  'a 2110 2',
  'l 2200 0 no ping',
  'd 2400 1 2 2',
  'f 2900 0 connection refused',
  'c 3600 0 40010',
  's 3700 0 chat:crowd-0 r 2 one',
  'd 3700 0 2 2',
];

const act = { at: 1_002_000, over: undefined, inZone: new Set(['0']), pingDelays: [10, 3] };

function read(lines: readonly string[]): ReturnType<typeof readJournal> {
  return readJournal(`${lines.join('\n')}\n`);
}

test('a journal is a history of deliveries, and the story of each client', () => {
  const journal = read(LINES);
  assert.equal(journal.beganAt, 1_000_000);
  assert.deepEqual(check(journal.channels.get('chat:crowd-0') ?? []), []);
  const story = journal.clients.get('0');
  assert.deepEqual(story?.connected, [
    { ms: 5, port: 40000 },
    { ms: 3600, port: 40010 },
  ]);
  assert.deepEqual(story?.failed, [{ ms: 2900, note: 'connection refused' }]);
  assert.equal(journal.clients.get('p0')?.channel, '');
});

test('a line that nobody knows is an error', () => {
  assert.throws(() => read([...LINES, 'q 5 0 what']), /no events of the kind q/);
  assert.throws(() => read(['what is this']), /no such line/);
});

test('what clients met is told by where they were', () => {
  const { zone, others, all, ...verdict } = judge(read(LINES), act);
  assert.deepEqual(
    [verdict.acknowledged, verdict.unknown, verdict.lost, verdict.duplicated, verdict.violations],
    [2, 0, 0, 0, {}],
  );
  assert.deepEqual([zone['10']?.clients, zone['3']?.clients, others.clients, all.clients], [1, 0, 1, 2]);
  assert.equal(zone['10']?.blackout.max, 1600, 'sent at 2,100, came at 3,700');
  assert.equal(zone['10']?.silence.max, 1700, 'from 2,000 to 3,700');
  assert.equal(zone['10']?.reconnect.max, 1500, 'from 2,200 to 3,700');
  assert.equal(zone['10']?.back.max, 1700, 'from 2,000 to 3,700');
  assert.equal(others.blackout.max, 300);
  assert.equal(others.lostConnection, 0);
  assert.deepEqual(
    [verdict.before.receipt.count, verdict.before.receipt.max, verdict.before.acknowledgement.max],
    [2, 6, 5],
  );
});

test('what is missing or comes twice is counted', () => {
  const twice = judge(read([...LINES, 'd 3800 1 3 2']), act);
  assert.equal(twice.duplicated, 1);
  const lost = judge(read(LINES.slice(0, -1)), act);
  assert.equal(lost.lost, 1);
  assert.ok(lost.examples.some(({ kind, id }) => kind === 'lost' && id === '2'));
});

test('a client that never came back has no end of its reconnect, and one that got nothing no return', () => {
  const { zone } = judge(read(LINES.slice(0, 14)), act);
  assert.equal(zone['10']?.reconnect.max, Infinity);
  assert.equal(zone['10']?.back.count, 0);
});

test('what comes after the zone is back is told apart', () => {
  const later = ['i 5000 3 chat:crowd-0', 'a 5010 3', 'd 5600 0 3 3', 'd 5900 1 3 3'];
  const { all, onReturn } = judge(read([...LINES, ...later]), { ...act, over: 1_004_500 });
  assert.deepEqual([all.blackout.max, onReturn?.blackout.max, onReturn?.back.max], [1600, 900, 1400]);
});
