/** A collector of traces: takes OTLP over HTTP in its JSON form, and keeps what it gets. */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A span as it came, with its attributes as an object. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty: a root. */
  parentSpanId: string;
  name: string;
  /** Of OTLP: 4 is producer, 5 is consumer. */
  kind: number;
  /** Unix nanoseconds. */
  start: bigint;
  end: bigint;
  /** Of OTLP: 0 is unset, 2 is error. */
  status: number;
  attributes: Record<string, string | number | boolean>;
  /** Attributes of the resource: who made it. */
  resource: Record<string, string | number | boolean>;
}

export interface OtlpReceiver {
  /** Base URL, as in `tracing.endpoint`. */
  readonly endpoint: string;
  readonly spans: ReceivedSpan[];
  /** The requests as they came. */
  readonly requests: { path: string; headers: IncomingHttpHeaders; body: string }[];
  /** What is answered from now on. With another status than 200 nothing is kept. */
  answer: { status: number; body: string };
  readonly port: number;
  /** Connections are refused from now on. */
  stop(): Promise<void>;
}

/** Starts one, on loopback; with a certificate, over TLS. */
export async function startOtlpReceiver(tls?: { cert: Buffer; key: Buffer }): Promise<OtlpReceiver> {
  const take = async (request: IncomingMessage): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    receiver.requests.push({ path: request.url ?? '', headers: request.headers, body });
    if (receiver.answer.status === 200) receiver.spans.push(...spansIn(JSON.parse(body) as OtlpRequest));
  };
  const listener: RequestListener = (request, response) => {
    take(request)
      .then(() => response.writeHead(receiver.answer.status).end(receiver.answer.body))
      .catch((error: unknown) => response.writeHead(400).end(String(error)));
  };
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const receiver: OtlpReceiver = {
    endpoint: `${tls ? 'https' : 'http'}://localhost:${port}`,
    port,
    spans: [],
    requests: [],
    answer: { status: 200, body: '{"partialSuccess":{}}' },
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
  return receiver;
}

interface OtlpAttribute {
  key: string;
  value: { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
}
interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes: OtlpAttribute[];
}
interface OtlpRequest {
  resourceSpans: { resource: { attributes: OtlpAttribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

function spansIn({ resourceSpans }: OtlpRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        name: span.name,
        kind: span.kind,
        start: BigInt(span.startTimeUnixNano),
        end: BigInt(span.endTimeUnixNano),
        status: span.status?.code ?? 0,
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
      })),
    ),
  );
}

function attributesOf(attributes: OtlpAttribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = value;
      return [
        key,
        stringValue ?? (intValue === undefined ? (doubleValue ?? boolValue ?? '') : Number(intValue)),
      ];
    }),
  );
}
