/**
 * e2e/binaries: the Kubernetes, etcd, CoreDNS, helm, kwok, Kafka and Python packages, and the Autobahn suite, that tests and the lab run,
 * found or built once into the per-user cache. Imports only e2e/tools.
 */
export { ensureBinaries, ensureBinary } from './ensure.ts';
export { ensureKafka, ensureMirrorMaker } from './kafka.ts';
export type { KafkaLibs } from './kafka.ts';
export { ensureAutobahn } from './autobahn.ts';
export { ensurePython } from './python.ts';
export { binaryNames, isBinaryName, versions } from './catalog.ts';
export type { BinaryName } from './catalog.ts';
