import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stagesOf } from './stages.ts';

test('the stages of a rotation are read off what the command prints, each when it was first seen', () => {
  const printed = `MessagePlatform bench/bench: rotation requested.
   0.2 s  Issue      Certificate version 1 to 2: 0 of 6 gateway pods are told the new one.
   1.3 s  Roll       Certificate version 1 to 2: 2 of 6 gateway pods are told the new one.
   1.7 s  Roll       Certificate version 1 to 2: 3 of 6 gateway pods are told the new one.
  36.5 s  Completed  Certificate version 2 took the place of 1.
`;
  assert.deepEqual(stagesOf(printed), { Issue: 0.2, Roll: 1.3, Completed: 36.5 });
});
