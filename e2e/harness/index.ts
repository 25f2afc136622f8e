/**
 * e2e/harness: real servers on loopback for tests: etcd, kube-apiserver (no kubelets), Redis, Kafka. Imports
 * e2e/binaries, e2e/tools and the npm clients that ask whether a server is ready; tests of every package may import it.
 *
 * Each `start…` finds or builds its binary, takes free ports on 127.0.0.1 and a temporary folder, waits until the
 * server really answers, and returns its address and `stop()`. What is still running when the process ends is ended
 * with it: on exit, on SIGINT and SIGTERM by hooks (see supervise.ts), on SIGKILL by the kernel (parent-death signal).
 *
 *     const cluster = await startControlPlane({ audit: true });
 *     after(() => cluster.stop());
 *     kubeConfig.loadFromFile(cluster.kubeconfig);
 *
 *     const kafka = await startKafka({ brokers: 3 });      // kafka.bootstrapServers = '127.0.0.1:p1,127.0.0.1:p2,…'
 *     await kafka.brokers[1].kill();                       // one broker gone, its data kept
 *     await kafka.brokers[1].start();                      // the same broker, same port, same data
 *
 * Start them once for each test file (`before`), not for each test: on two cores etcd takes 0.3 s, Redis 0.1 s,
 * the control plane about 5 s, Kafka about 6 s.
 */
export { startControlPlane } from './control-plane.ts';
export type { ControlPlane, ControlPlaneOptions } from './control-plane.ts';
export { startEtcd } from './etcd.ts';
export type { Etcd, EtcdOptions } from './etcd.ts';
export { startRedis } from './redis.ts';
export type { Redis, RedisOptions } from './redis.ts';
export { startKafka } from './kafka.ts';
export type { Kafka, KafkaBroker, KafkaListener, KafkaOptions } from './kafka.ts';
export { startMirrorMaker } from './mirror-maker.ts';
export { createTestPki } from './pki.ts';
export type { TestPki } from './pki.ts';
export type { Server } from './server.ts';
