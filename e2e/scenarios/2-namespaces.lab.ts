/** An operator that is allowed one namespace works there with Roles alone, and neither sees nor touches another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATOR_NAMESPACE } from '../platform/index.ts';
import { eventually, scenario } from './support.ts';
import { exchange } from './traffic.ts';

const NAMESPACE = 'scenario-one';
const OTHER = 'scenario-other';
const USER = `system:serviceaccount:${OPERATOR_NAMESPACE}:causeway`;
const lab = scenario(NAMESPACE, { values: [`watchNamespaces={${NAMESPACE}}`] });

async function may(verb: string, kind: string, namespace: string): Promise<boolean> {
  const answer = await lab.kube
    .kubectl(['-n', namespace, 'auth', 'can-i', verb, kind, '--as', USER])
    // kubectl exits 1 when the answer is no.
    .catch((error: unknown) => String(error));
  return answer.trim() === 'yes';
}

test('in its namespace a platform comes up and messages flow; in another it has no right, and does nothing', async () => {
  assert.equal(await may('create', 'deployments', NAMESPACE), true);
  assert.equal(await may('create', 'deployments', OTHER), false);
  assert.equal(await may('list', 'secrets', OTHER), false);
  await lab.kube.kubectl(['create', 'namespace', OTHER]);
  try {
    await lab.applyPlatform('two', undefined, OTHER);
    await lab.readyPlatform('one');
    await exchange(lab, 'one');
    const { status } = await lab.kube.json<{ status?: object }>(['-n', OTHER, 'get', 'mp', 'two']);
    assert.equal(status, undefined, 'the platform in the other namespace was not looked at');
  } finally {
    await lab.kube.kubectl(['delete', 'namespace', OTHER, '--timeout=60s']);
  }
});

test('drift is repaired with the rights of the Role', async () => {
  await lab.kubectl('delete', 'service', 'one-gateway');
  await eventually('the Service is back', () =>
    lab.kube.find(['-n', NAMESPACE, 'get', 'service', 'one-gateway']),
  );
});
