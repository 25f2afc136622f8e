import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { StreamEntry } from '../channels/index.ts';
import { BackendAwayError } from '../delivery/index.ts';
import type { PublicationLog } from '../delivery/index.ts';
import { Payload } from '../protocol/index.ts';
import { mountSecret } from '../testing/mounted-secret.ts';
import { startOtlpReceiver } from '../testing/otlp-receiver.ts';
import { startTracing, tracedHub, tracedLog } from './index.ts';
import { Collector, RefusedSpansError } from './open-telemetry/collector.ts';
import { OpenTelemetryTracing } from './open-telemetry/open-telemetry-tracing.ts';
import { SpanQueue } from './open-telemetry/span-queue.ts';
import type { Tracing } from './tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const RECORD = { topic: 'orders.chat', channel: 'chat:a', partition: 2, offset: 41 };

/** Keeps log lines by level. */
function keptLog() {
  const lines: { level: string; message: string; fields?: object }[] = [];
  const at =
    (level: string) =>
    (message: string, fields?: object): void =>
      void lines.push({ level, message, ...(fields && { fields }) });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

const gateway = { platform: 'orders', namespace: 'ns', podName: 'pod', zone: '', group: 'g', log: keptLog() };

/** Tracing whose spans stay in a list. */
function keptTracing(ratePerMillion = 1_000_000): { tracing: Tracing; spans: ReadableSpan[] } {
  const spans: ReadableSpan[] = [];
  const queue = new SpanQueue({ send: async () => 0, log: keptLog() });
  queue.onEnd = (span) => void spans.push(span);
  return { tracing: new OpenTelemetryTracing({ queue, gateway, ratePerMillion }), spans };
}

function entryWith(traceparent?: string): StreamEntry {
  return {
    offset: 1,
    data: Payload.ofJson(1),
    info: '',
    kafka: { partition: 0, offset: 0 },
    replayed: false,
    publishedAt: 0,
    ...(traceparent !== undefined && { tags: { traceparent } }),
  };
}

describe('tracing', () => {
  it('is not there without a configuration', async () => {
    assert.equal(await startTracing(undefined, gateway), undefined);
    const log: PublicationLog = { pending: 0, append: async () => undefined };
    assert.equal(tracedLog(log, undefined), log);
    const options = {} as Parameters<typeof tracedHub>[0];
    assert.equal(tracedHub(options, undefined), options);
  });

  it('begins as many traces as it is told to', () => {
    const { tracing, spans } = keptTracing(100_000);
    let withHeader = 0;
    for (let i = 0; i < 10_000; i += 1) {
      const span = tracing.publishing('orders.chat', 'chat:a');
      if (span.traceparent !== undefined) withHeader += 1;
      span.end();
    }
    assert.equal(spans.length, withHeader, 'who is not sampled has no header');
    // Six standard deviations of a binomial distribution: 30 each.
    assert.ok(Math.abs(withHeader - 1_000) < 180, String(withHeader));
  });

  it('says of a publication that failed which error it was, and nothing else', () => {
    const { tracing, spans } = keptTracing();
    tracing.publishing('orders.chat', 'chat:a').fail(new BackendAwayError('hush'));
    assert.equal(spans[0]?.status.code, 2);
    assert.equal(spans[0]?.attributes['error.type'], 'BackendAwayError');
    assert.ok(!JSON.stringify([spans[0]?.attributes, spans[0]?.events, spans[0]?.status]).includes('hush'));
  });

  it('goes on from a record whose trace is sampled, whatever the rate', () => {
    const { tracing, spans } = keptTracing(0);
    const span = tracing.carrying(RECORD, PARENT);
    assert.ok(span);
    assert.equal(spans.length, 0, 'not before it is in Redis');
    span.end();
    assert.equal(spans[0]?.parentSpanContext?.spanId, '00f067aa0ba902b7');
    assert.equal(span.traceparent, `00-${TRACE}-${spans[0].spanContext().spanId}-01`);
    assert.equal(spans[0].attributes['kafka.offset'], 41);
    assert.equal(spans[0].attributes['messaging.destination.partition.id'], '2');
  });

  for (const [what, traceparent] of [
    ['not sampled', `00-${TRACE}-00f067aa0ba902b7-00`],
    ['no context', 'hello'],
    ['nothing', ''],
    ['a trace of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['of the forbidden version', `ff-${TRACE}-00f067aa0ba902b7-01`],
    ['in capitals', PARENT.toUpperCase()],
    ['more than one', `${PARENT}\n${PARENT}`],
  ] as const) {
    it(`leaves a record alone whose header is ${what}`, () => {
      const { tracing, spans } = keptTracing();
      assert.equal(tracing.carrying(RECORD, traceparent), undefined);
      assert.equal(spans.length, 0);
    });
  }

  it('cuts off what others wrote too long', () => {
    const { tracing, spans } = keptTracing();
    tracing.carrying({ ...RECORD, channel: `chat:${'x'.repeat(10_000)}` }, PARENT)?.end();
    assert.equal(String(spans[0]?.attributes['kafka.message.key']).length, 256);
  });
});

describe('a traced log', () => {
  it('sends the context with the record, and ends the span when it is durable', async () => {
    const { tracing, spans } = keptTracing();
    const appended: unknown[][] = [];
    const durable = Promise.withResolvers<void>();
    const log: PublicationLog = {
      pending: 3,
      append: async (...args) => {
        appended.push(args);
        await durable.promise;
      },
    };
    const traced = tracedLog(log, tracing);
    assert.equal(traced.pending, 3);
    const done = traced.append('orders.chat', 'chat:a', 'value', { key: '1' });
    await turn();
    assert.equal(spans.length, 0);
    durable.resolve();
    await done;
    const { traceId = '', spanId = '' } = spans[0]?.spanContext() ?? {};
    assert.deepEqual(appended, [
      ['orders.chat', 'chat:a', 'value', { key: '1', traceparent: `00-${traceId}-${spanId}-01` }],
    ]);
  });

  it('passes on what went wrong', async () => {
    const { tracing, spans } = keptTracing();
    const error = new BackendAwayError('away');
    const log: PublicationLog = { pending: 0, append: () => Promise.reject(error) };
    await assert.rejects(tracedLog(log, tracing).append('orders.chat', 'chat:a', 'v'), error);
    assert.equal(spans[0]?.status.code, 2);
  });
});

describe('a traced hub', () => {
  /** Calls of what is wrapped. */
  const wrapped = (tracing: Tracing) => {
    const delivered: number[] = [];
    const options = {
      frame: (channel: string, entry: StreamEntry) => `${channel} ${entry.offset}`,
      delivered: (_: StreamEntry, receivers: number) => void delivered.push(receivers),
    } as unknown as Parameters<typeof tracedHub<string>>[0];
    return { hub: tracedHub(options, tracing), delivered };
  };

  it('makes one span for a publication, with the number of its subscribers', () => {
    const { tracing, spans } = keptTracing();
    const { hub, delivered } = wrapped(tracing);
    const entry = entryWith(PARENT);
    assert.equal(hub.frame('chat:a', entry, undefined), 'chat:a 1');
    hub.frame('chat:a', entry, 'epoch');
    hub.delivered(entry, 500);
    assert.deepEqual(delivered, [500]);
    assert.equal(spans.length, 1);
    const [span] = spans;
    assert.equal(span?.name, 'deliver chat:*');
    assert.equal(span.parentSpanContext?.spanId, '00f067aa0ba902b7');
    assert.equal(span.attributes['causeway.subscribers'], 500);
    assert.equal(span.attributes['messaging.destination.name'], 'chat:a');
  });

  it('makes none for one without a context, and none for who catches up', () => {
    const { tracing, spans } = keptTracing();
    const { hub, delivered } = wrapped(tracing);
    const plain = entryWith();
    hub.frame('chat:a', plain, undefined);
    hub.delivered(plain, 2);
    hub.frame('chat:a', entryWith(PARENT), undefined);
    assert.deepEqual(delivered, [2]);
    assert.equal(spans.length, 0);
  });
});

describe('the queue of spans', () => {
  /** A queue whose collector does what `answer` says. */
  const queueWith = (answer: () => number | Promise<number>) => {
    const sent: number[] = [];
    const log = keptLog();
    const queue = new SpanQueue({
      log,
      send: async (body) => {
        const { resourceSpans } = JSON.parse(Buffer.from(body).toString()) as {
          resourceSpans: { scopeSpans: { spans: unknown[] }[] }[];
        };
        sent.push(resourceSpans[0]?.scopeSpans[0]?.spans.length ?? 0);
        return answer();
      },
    });
    const tracing = new OpenTelemetryTracing({ queue, gateway, ratePerMillion: 1_000_000 });
    const end = (count: number): void => {
      for (let i = 0; i < count; i += 1) tracing.publishing('orders.chat', 'chat:a').end();
    };
    return { queue, tracing, sent, log, end };
  };

  it('sends small batches one after the other, and waits for more if there are few', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const { queue, sent, end } = queueWith(() => 0);
      end(5);
      mock.timers.tick(1_999);
      await turn();
      assert.deepEqual(sent, []);
      mock.timers.tick(1);
      await turn();
      assert.deepEqual(sent, [5]);
      end(300);
      mock.timers.tick(0);
      await turn();
      assert.deepEqual(sent, [5, 128, 128, 44], 'a whole batch does not wait');
      assert.deepEqual(queue.counts, { exported: 305, refused: 0, dropped: 0 });
    } finally {
      mock.timers.reset();
    }
  });

  it('keeps what a collector that is away did not take, up to its bound, and says so once', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      let away = true;
      const { queue, sent, log, end } = queueWith(() => {
        if (away) throw new Error('connect ECONNREFUSED');
        return 0;
      });
      end(3_000);
      assert.equal(queue.counts.dropped, 3_000 - 2_048);
      mock.timers.tick(0);
      await turn();
      assert.deepEqual(sent, [128]);
      end(1);
      mock.timers.tick(1_500);
      await turn();
      assert.deepEqual(sent, [128], 'it is left alone for a while');
      mock.timers.tick(1_000);
      await turn();
      assert.deepEqual(sent, [128, 128]);
      const { lines } = log;
      assert.deepEqual(lines, [
        {
          level: 'warn',
          message: 'spans not taken by the collector',
          fields: { reason: 'connect ECONNREFUSED' },
        },
      ]);
      away = false;
      mock.timers.tick(5_000);
      await turn();
      assert.deepEqual(queue.counts, { exported: 2_048, refused: 0, dropped: 3_001 - 2_048 });
      assert.deepEqual(lines.slice(1), [{ level: 'info', message: 'the collector takes spans again' }]);
    } finally {
      mock.timers.reset();
    }
  });

  it('does not send again what the collector refuses', async () => {
    let answer = (): number => {
      throw new RefusedSpansError('answered 400');
    };
    const { queue, sent, end } = queueWith(() => answer());
    end(3);
    await queue.forceFlush();
    assert.deepEqual(queue.counts, { exported: 0, refused: 3, dropped: 0 });
    answer = () => 2;
    end(3);
    await queue.forceFlush();
    answer = () => 1_000_000;
    end(1);
    await queue.forceFlush();
    assert.deepEqual(queue.counts, { exported: 1, refused: 6, dropped: 0 });
    assert.deepEqual(sent, [3, 3, 1]);
  });

  it('sends the rest at the end, and does not wait for ever', async () => {
    const { queue, tracing, sent, end } = queueWith(() => new Promise<number>(() => undefined));
    end(2);
    const began = performance.now();
    await tracing.close();
    assert.ok(performance.now() - began < 4_000);
    assert.deepEqual(sent, [2]);
    end(1);
    assert.equal(queue.counts.dropped, 1);
  });
});

describe('a collector', () => {
  const body = Buffer.from('{"resourceSpans":[]}');

  it('is asked at its path, with the headers that are mounted, and says how many it refused', async () => {
    const receiver = await startOtlpReceiver();
    const headers = mountSecret({ authorization: 'Bearer x\n', 'content-type': 'text/plain' });
    try {
      const collector = new Collector({ endpoint: `${receiver.endpoint}/otlp/`, headersDir: headers.dir });
      assert.equal(await collector.send(body), 0);
      receiver.answer = { status: 200, body: '{"partialSuccess":{"rejectedSpans":"7","errorMessage":"no"}}' };
      assert.equal(await collector.send(body), 7);
      receiver.answer = { status: 200, body: 'not JSON' };
      assert.equal(await collector.send(body), 0);
      const [first] = receiver.requests;
      assert.equal(first?.path, '/otlp/v1/traces');
      assert.equal(first.headers.authorization, 'Bearer x');
      assert.equal(first.headers['content-type'], 'application/json');
    } finally {
      headers.remove();
      await receiver.stop();
    }
  });

  for (const [status, again] of [
    [429, true],
    [502, true],
    [503, true],
    [504, true],
    [301, false],
    [400, false],
    [401, false],
    [500, false],
  ] as const) {
    it(`that answers ${status} gets the same spans ${again ? 'again' : 'never again'}`, async () => {
      const receiver = await startOtlpReceiver();
      receiver.answer = { status, body: 'hush' };
      try {
        await assert.rejects(new Collector(receiver).send(body), (error: Error) => {
          assert.equal(error instanceof RefusedSpansError, !again);
          assert.equal(error.message, `${receiver.endpoint}/v1/traces answered ${status}`);
          return true;
        });
      } finally {
        await receiver.stop();
      }
    });
  }

  it('that is not there is worth another try', async () => {
    const receiver = await startOtlpReceiver();
    await receiver.stop();
    await assert.rejects(
      new Collector(receiver).send(body),
      (error: Error) => !(error instanceof RefusedSpansError),
    );
  });

  it('is not told a header that cannot be sent, and no error quotes it', async () => {
    const receiver = await startOtlpReceiver();
    const headers = mountSecret({ authorization: 'hush\r\nx: y' });
    try {
      await assert.rejects(new Collector({ ...receiver, headersDir: headers.dir }).send(body), {
        message: 'the value of the header authorization cannot be sent',
      });
      assert.equal(receiver.requests.length, 0);
    } finally {
      headers.remove();
      await receiver.stop();
    }
  });
});
