/**
 * e2e/lab/provisioner: the lab's storage class, as one small host process: a folder on the claim's node for each
 * claim. Imports only Node and the Kubernetes client.
 *
 * Level-triggered: any change of a claim or a volume makes it look at all of them again.
 */
import { CoreV1Api, KubeConfig, Watch } from '@kubernetes/client-node';
import { Command } from 'commander';
import { reconcile } from './reconcile.ts';

const options = new Command('provisioner')
  .requiredOption('--kubeconfig <file>', 'kubeconfig of the lab')
  .requiredOption('--lab-dir <folder>', "the lab's folder")
  .parse()
  .opts<{ kubeconfig: string; labDir: string }>();

const config = new KubeConfig();
config.loadFromFile(options.kubeconfig);
const core = config.makeApiClient(CoreV1Api);
const watch = new Watch(config);

let wake: () => void = () => undefined;
let dirty = true;

function mark(): void {
  dirty = true;
  wake();
}

function say(text: string): void {
  process.stdout.write(`${new Date().toISOString()} ${text}\n`);
}

/** Watches for ever. However a watch ends, the next one starts a second later, and everything is looked at again. */
function follow(path: string): void {
  const again = (): void => {
    mark();
    setTimeout(() => follow(path), 1000);
  };
  watch.watch(path, { timeoutSeconds: 240 }, mark, again).catch((error: unknown) => {
    say(`watch of ${path}: ${String(error)}`);
    again();
  });
}

/** Until something changes, or half a minute has passed. */
function nextChange(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 30_000);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    if (dirty) wake();
  });
}

follow('/api/v1/persistentvolumeclaims');
follow('/api/v1/persistentvolumes');
for (;;) {
  dirty = false;
  try {
    for (const line of await reconcile(core, options.labDir)) say(line);
  } catch (error) {
    say(`failed, tries again: ${error instanceof Error ? error.message : String(error)}`);
    setTimeout(mark, 1000);
  }
  await nextChange();
}
