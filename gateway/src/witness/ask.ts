import { connect } from 'node:net';
import { ADMIN_PATH } from '@causeway/crds';

/** No answer is longer before its status is known; bytes. */
const MAX_HEAD = 64;

/**
 * Whether the gateway at this address says within `timeoutMs` that it works, on a new connection: one that was open could
 * outlive the way to it. Plain HTTP, since TLS would cost both sides 0.4 ms each time, and the clients' port refuses
 * newcomers when they storm in. Never rejects, and asks no DNS.
 */
export function askPod(address: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    // After a moment in which we stood still, timers come before what the network has for us.
    const timer = setTimeout(() => setImmediate(() => end(false)), timeoutMs);
    let head = '';
    socket.on('connect', () =>
      socket.write(`GET ${ADMIN_PATH.healthz} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n`),
    );
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1', 0, MAX_HEAD);
      if (head.includes('\r\n') || head.length >= MAX_HEAD) end(head.startsWith('HTTP/1.1 200 '));
    });
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
  });
}
