import type { Disconnect, ProtocolError } from './codes.ts';

/** A server ping; the client answers with the same. */
export const PING = '{}';

export interface ConnectResult {
  client: string;
  version: string;
  /** Seconds. */
  ping: number;
  /** The client must answer pings. */
  pong: true;
  expires?: true;
  /** Seconds until the token expires. */
  ttl?: number;
}
export interface RefreshResult {
  expires?: true;
  ttl?: number;
}
export interface SubscribeResult {
  recoverable: true;
  positioned: true;
  epoch: string;
  offset: number;
  was_recovering?: true;
  recovered?: true;
}
export interface HistoryResult {
  epoch: string;
  offset: number;
}

/**
 * A publication as it is kept in Redis: the JSON of its `data` and `info` members, without braces, so that it can be
 * put into a push or a result without being read again.
 */
export interface StoredPublication {
  offset: number;
  body: string;
}

/** Who published, as the protocol's ClientInfo. */
export interface ClientInfo {
  user: string;
  client: string;
  conn_info?: unknown;
}

/** The JSON members of a publication that don't depend on its place in the stream. `data` is JSON already. */
export function publicationBody(data: string, info: ClientInfo | undefined): string {
  return info ? `"data":${data},"info":${JSON.stringify(info)}` : `"data":${data}`;
}

/** The push of a publication to subscribers of `channel`. */
export function encodePublicationPush(
  channel: string,
  publication: StoredPublication,
  epoch?: string,
): string {
  return `{"push":{"channel":${JSON.stringify(channel)},"pub":${encodePublication(publication, epoch)}}}`;
}

/** The push that ends one subscription. */
export function encodeUnsubscribePush(channel: string, why: Disconnect): string {
  return JSON.stringify({ push: { channel, unsubscribe: { code: why.code, reason: why.reason } } });
}

export function encodeError(id: number, error: ProtocolError): string {
  return JSON.stringify({ id, error });
}

export function encodeConnectReply(id: number, connect: ConnectResult): string {
  return JSON.stringify({ id, connect });
}

export function encodeRefreshReply(id: number, refresh: RefreshResult): string {
  return JSON.stringify({ id, refresh });
}

export function encodePublishReply(id: number): string {
  return `{"id":${id},"publish":{}}`;
}

export function encodeUnsubscribeReply(id: number): string {
  return `{"id":${id},"unsubscribe":{}}`;
}

export function encodeSubscribeReply(
  id: number,
  result: SubscribeResult,
  missed: StoredPublication[],
): string {
  return withPublications(id, 'subscribe', result, missed);
}

export function encodeHistoryReply(
  id: number,
  result: HistoryResult,
  publications: StoredPublication[],
): string {
  return withPublications(id, 'history', result, publications);
}

function withPublications(
  id: number,
  name: string,
  result: object,
  publications: StoredPublication[],
): string {
  const members = JSON.stringify(result).slice(1, -1);
  if (publications.length === 0) return `{"id":${id},"${name}":{${members}}}`;
  const list = publications.map((publication) => encodePublication(publication)).join(',');
  return `{"id":${id},"${name}":{${members},"publications":[${list}]}}`;
}

function encodePublication({ body, offset }: StoredPublication, epoch?: string): string {
  const place = epoch === undefined ? '' : `,"epoch":${JSON.stringify(epoch)}`;
  return `{${body},"offset":${offset}${place}}`;
}
