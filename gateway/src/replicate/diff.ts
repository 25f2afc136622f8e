/** What separates two sorted key spaces: a merge join, one key in memory from each side. */
import type { Change, KeyValue } from '../etcd/index.ts';

/** The changes that make `target` equal to `source`. Both ascend by key. Equal keys with equal values give nothing. */
export async function* difference(
  source: AsyncIterable<KeyValue>,
  target: AsyncIterable<KeyValue>,
): AsyncGenerator<Change> {
  const left = source[Symbol.asyncIterator]();
  const right = target[Symbol.asyncIterator]();
  let wanted = await left.next();
  let present = await right.next();
  while (wanted.done !== true || present.done !== true) {
    const order =
      wanted.done === true ? 1 : present.done === true ? -1 : wanted.value.key.compare(present.value.key);
    if (order <= 0 && wanted.done !== true) {
      const same = order === 0 && present.done !== true && wanted.value.value.equals(present.value.value);
      if (!same) yield wanted.value;
      wanted = await left.next();
    } else if (present.done !== true) {
      yield { key: present.value.key, value: undefined };
    }
    if (order >= 0) present = await right.next();
  }
}
