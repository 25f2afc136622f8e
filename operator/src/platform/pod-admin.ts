/** Questions to a pod's admin endpoint. */
import { PORT } from '@causeway/crds';

/** The JSON that a pod answers at `path`; `timeoutMs` includes the connection. Rejects when there is no such answer. */
export async function askPod<T>(host: string, path: string, timeoutMs: number): Promise<T> {
  const address = host.includes(':') ? `[${host}]` : host;
  const response = await fetch(`http://${address}:${PORT.admin}${path}`, {
    signal: AbortSignal.timeout(timeoutMs),
    // A connection that is kept would outlive the pod.
    headers: { connection: 'close' },
  });
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return (await response.json()) as T;
}
