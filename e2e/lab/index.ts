/** e2e/lab for scenarios and benchmarks: the lab's state and its faults as functions. The command is main.ts. */
export { inNetns, network, nodes, zones } from './config.ts';
export type { LabNode, Zone } from './config.ts';
export { kafkaBrokers, labKafkaConfig } from './kafka-client.ts';
export { smallKafka } from './manifests.ts';
export { installPackages } from './preflight.ts';
export { getStatus } from './status.ts';
export type { LabStatus } from './status.ts';
export { cut, heal, kill, mute, revive, unmute } from './zone.ts';
