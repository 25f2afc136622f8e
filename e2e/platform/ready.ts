/** Waits for a platform, and shows a person what it waits for. */
import { waitFor, type Progress } from '../tools/index.ts';
import type { Kube } from './kube.ts';

interface PlatformObject {
  metadata: { generation: number };
  status?: {
    observedGeneration?: number;
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
}

/** Waits until the platform is Ready for its latest generation; a line for each change of what is missing. */
export async function waitReady(
  kube: Kube,
  platform: { namespace: string; name: string },
  options: { timeoutMs?: number; progress?: Progress } = {},
): Promise<void> {
  let said = '';
  let last = 'the operator has not seen it yet';
  const timeoutMs = options.timeoutMs ?? 180_000;
  try {
    await waitFor(
      `platform ${platform.name} is Ready`,
      async () => {
        const found = await kube.find<PlatformObject>([
          '-n',
          platform.namespace,
          'get',
          'messageplatform',
          platform.name,
        ]);
        const ready = found?.status?.conditions?.find(({ type }) => type === 'Ready');
        if (ready === undefined) return false;
        last = `${ready.reason}: ${ready.message}`;
        const waiting = waitingParts(found);
        if (waiting !== said && waiting !== '') options.progress?.note(`  waiting for ${waiting}`);
        said = waiting;
        return ready.status === 'True' && found?.status?.observedGeneration === found?.metadata.generation;
      },
      { timeoutMs, intervalMs: 500 },
    );
  } catch (error) {
    throw new Error(`platform ${platform.name} is not Ready after ${timeoutMs / 1000} s. ${last}`, {
      cause: error,
    });
  }
}

function waitingParts(platform: PlatformObject | undefined): string {
  const parts = (platform?.status?.conditions ?? []).filter(
    ({ type, status }) => status === 'False' && /.Ready$/.test(type),
  );
  return parts.map(({ type }) => type.replace(/Ready$/, '')).join(', ');
}
