/**
 * Preloaded into a gateway: its connections to Kafka come from the address in SOURCE_ADDRESS, as a pod's come from its own. Which they are
 * is told by SOURCE_PORTS.
 */
import { Socket } from 'node:net';
import type { TcpNetConnectOpts } from 'node:net';

const address = process.env['SOURCE_ADDRESS'];
const ports = new Set(process.env['SOURCE_PORTS']?.split(',').map(Number));
type Connect = (this: Socket, ...args: unknown[]) => Socket;
const prototype = Socket.prototype as unknown as { connect: Connect };
const { connect } = prototype;

prototype.connect = function connectFrom(...args) {
  // Node hands its own functions a list of what it was given: the options, and who is to be called.
  const [options] = (Array.isArray(args[0]) ? args[0] : args) as [TcpNetConnectOpts];
  if (address !== undefined && ports.has(options.port)) options.localAddress = address;
  return connect.apply(this, args);
};
