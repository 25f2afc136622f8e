import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';

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
