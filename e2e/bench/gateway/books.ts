/** Checks what each subscriber received against what was acknowledged. Pure. */

/** What one subscriber received, in order: `1-5,5-9` is 1 to 5, then 5 to 9. */
export interface Book {
  channel: string;
  numbers: string;
}

/** Faults, over all subscribers. */
export interface Faults {
  /** Acknowledged, and not received. */
  lost: number;
  /** Received again. */
  doubled: number;
  /** Received after one with a higher number. */
  outOfOrder: number;
  received: number;
  /** Subscribers with any of these. */
  subscribers: number;
}

/** The numbers of a book, in the order in which they came. */
export function numbersOf(text: string): number[] {
  if (text === '') return [];
  return text.split(',').flatMap((run) => {
    const [first = Number.NaN, last = first] = run.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Counts the faults. `acknowledged`: numbers by channel; what was not acknowledged may come or not. */
export function check(
  books: readonly Book[],
  acknowledged: Readonly<Record<string, readonly number[]>>,
): Faults {
  const faults: Faults = { lost: 0, doubled: 0, outOfOrder: 0, received: 0, subscribers: 0 };
  for (const { channel, numbers } of books) {
    const one = checkOne(numbersOf(numbers), acknowledged[channel] ?? []);
    faults.lost += one.lost;
    faults.doubled += one.doubled;
    faults.outOfOrder += one.outOfOrder;
    faults.received += one.received;
    if (one.lost + one.doubled + one.outOfOrder > 0) faults.subscribers += 1;
  }
  return faults;
}

function checkOne(received: readonly number[], acknowledged: readonly number[]): Omit<Faults, 'subscribers'> {
  const seen = new Set<number>();
  let [doubled, outOfOrder, highest] = [0, 0, 0];
  for (const number of received) {
    if (seen.has(number)) doubled += 1;
    else if (number < highest) outOfOrder += 1;
    seen.add(number);
    highest = Math.max(highest, number);
  }
  const lost = acknowledged.filter((number) => !seen.has(number)).length;
  return { lost, doubled, outOfOrder, received: received.length };
}
