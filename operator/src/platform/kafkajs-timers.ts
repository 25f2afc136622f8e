/** Mends the busy timer of kafkajs 2.2.4 (its issue 1751). */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

let mended = false;

/**
 * After its first answer each of kafkajs's connections looks a thousand times a second, for ever, whether a request
 * waits to be sent: also when none does it sets a timer, for a negative time, which Node takes for 1 ms. An idle
 * connection so costs 2 to 4 % of a core. Here the timer is set only while a request waits; `push` sets it for each
 * that has to.
 */
export function mendKafkaTimers(): void {
  if (mended) return;
  mended = true;
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
  RequestQueue.prototype.scheduleCheckPendingRequests = function onlyWhenOneWaits(): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
