/** Kafka, Redis and etcd for a leader: nothing is changed there once the leadership is over. */
import type { EtcdAdmins } from './etcd-admin.ts';
import type { KafkaAdmin } from './kafka.ts';
import type { RedisAdmin } from './redis-admin.ts';

function check(mayAct: () => boolean): void {
  if (!mayAct()) throw new Error('not the leader any more: nothing is changed');
}

/** `kafka`, refusing changes unless `mayAct()`. */
export function fencedKafka(kafka: KafkaAdmin, mayAct: () => boolean): KafkaAdmin {
  return {
    look: (access, topics) => kafka.look(access, topics),
    placement: (access, topics) => kafka.placement(access, topics),
    ends: (access, topics) => kafka.ends(access, topics),
    offsetSyncs: (access, topic, partitions) => kafka.offsetSyncs(access, topic, partitions),
    reorder: async (access, orders) => {
      check(mayAct);
      return kafka.reorder(access, orders);
    },
    elect: async (access, partitions) => {
      check(mayAct);
      return kafka.elect(access, partitions);
    },
    perform: async (access, action) => {
      check(mayAct);
      return kafka.perform(access, action);
    },
  };
}

/** `redis`, refusing changes unless `mayAct()`. */
export function fencedRedis(redis: RedisAdmin, mayAct: () => boolean): RedisAdmin {
  return {
    look: (address) => redis.look(address),
    act: async (address, action) => {
      check(mayAct);
      return redis.act(address, action);
    },
  };
}

/** `etcd`, refusing changes unless `mayAct()`. */
export function fencedEtcd(etcd: EtcdAdmins, mayAct: () => boolean): EtcdAdmins {
  return (...of) => {
    const admin = etcd(...of);
    return {
      state: (zone) => admin.state(zone),
      fence: async (...order) => {
        check(mayAct);
        return admin.fence(...order);
      },
      promote: async (...order) => {
        check(mayAct);
        return admin.promote(...order);
      },
    };
  };
}
