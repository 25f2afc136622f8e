import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';
import { crdFile, type Plural } from '../scripts/crd.ts';
import { merge, type Change } from './invalid-platforms.ts';

/** One line of a refusal (metav1.StatusCause). */
export interface Cause {
  field: string;
  message: string;
}

/** An answer of the API server. */
export interface Answer {
  status: number;
  /** The object, or a metav1.Status when the call was refused. */
  body: Record<string, unknown> & { message?: string; details?: { causes?: Cause[] } };
}

/** What tests ask of an API server, without a client library between them and its answers. */
export interface TestApi {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  close(): void;
}

interface KubeConfig {
  clusters: { cluster: { server: string; 'certificate-authority': string } }[];
  users: { user: { token: string } }[];
}

/** Opens the API server of a kubeconfig that names an authority's file and a token, as e2e/harness writes it. */
export function openTestApi(kubeconfig: string): TestApi {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as KubeConfig;
  const cluster = config.clusters[0]?.cluster;
  const token = config.users[0]?.user.token;
  if (cluster === undefined || token === undefined) throw new Error(`${kubeconfig}: no cluster or no token`);
  const agent = new Agent({ keepAlive: true, ca: readFileSync(cluster['certificate-authority']) });

  const send: TestApi['send'] = (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const call = request(`${cluster.server}${path}`, {
        method,
        agent,
        timeout: 20_000,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      });
      call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within 20 s`)));
      call.on('error', reject);
      call.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: bodyOf(text) }));
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return { send, close: () => agent.destroy() };
}

/** Most answers are JSON; that to a path that nobody serves yet is plain text. */
function bodyOf(text: string): Answer['body'] {
  return text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : { message: text };
}

/** How the tests write: unknown fields are refused. */
export const STRICT = '?fieldValidation=Strict&fieldManager=test';

const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };

/** What to show when an answer is not as expected. */
export function explain(answer: Answer): string {
  return answer.body.message ?? JSON.stringify(answer.body);
}

/** Asserts that an answer is a refusal for one reason only, and that it is the expected one. */
export function assertRefused(answer: Answer, field: string, message: string): void {
  assert.equal(answer.status, 422, `refused, but the answer was ${answer.status}: ${explain(answer)}`);
  const causes = (answer.body.details?.causes ?? []).filter(
    // What the API server adds when it has not come to the rules, because the form was wrong already.
    (cause) => !cause.message.includes('some validation rules were not checked'),
  );
  assert.deepEqual(
    causes.map((cause) => cause.field),
    [field],
    JSON.stringify(causes),
  );
  assert.ok(causes[0]?.message.includes(message), `says "${message}", but it says "${causes[0]?.message}"`);
}

/** Objects of one of our kinds in namespace `default`, each made as a small change to a valid one. */
export interface TestObjects<T> {
  /** Path of all of them. */
  readonly path: string;
  create: (change?: Change) => Promise<Answer>;
  /** Fails the test when it is refused. */
  created: (change?: Change) => Promise<T>;
  /** Edits the object that has the valid one's name. */
  edit: (change: Change) => Promise<Answer>;
  edited: (change: Change) => Promise<T>;
  /** Writes into its status. */
  reported: (status: Change) => Promise<T>;
  deleteAll: () => Promise<Answer>;
  /** Gives the CRD to the API server; true once it serves the kind. */
  isServed: () => Promise<boolean>;
}

/** Objects of the kind `plural`, on an API server that gets its CRD from `isServed`. */
export function testObjects<T>(
  api: () => TestApi,
  plural: Plural,
  valid: { metadata: { name: string } },
): TestObjects<T> {
  const path = `/apis/causeway.dev/v1alpha1/namespaces/default/${plural}`;
  const own = `${path}/${valid.metadata.name}`;
  const good = (answer: Answer, status: number): T => {
    assert.equal(answer.status, status, explain(answer));
    return answer.body as T;
  };
  const create = (change: Change = {}): Promise<Answer> =>
    api().send('POST', `${path}${STRICT}`, merge(valid, change));
  const edit = (change: Change): Promise<Answer> =>
    api().send('PATCH', `${own}${STRICT}`, change, MERGE_PATCH);
  let given = false;
  return {
    path,
    create,
    edit,
    created: async (change) => good(await create(change), 201),
    edited: async (change) => good(await edit(change), 200),
    reported: async (status) =>
      good(await api().send('PATCH', `${own}/status${STRICT}`, { status }, MERGE_PATCH), 200),
    deleteAll: () => api().send('DELETE', path),
    isServed: async () => {
      if (!given) {
        const crd: unknown = parse(readFileSync(crdFile(plural), 'utf8'), { maxAliasCount: -1 });
        const crds = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions${STRICT}`;
        good(await api().send('POST', crds, crd), 201);
        given = true;
      }
      return (await api().send('GET', path)).status === 200;
    },
  };
}
