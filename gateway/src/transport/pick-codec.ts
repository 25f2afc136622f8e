import { JSON_CODEC, PROTOBUF_CODEC } from '../protocol/index.ts';
import type { Codec } from '../protocol/index.ts';

/** Subprotocols that a client may ask for: the SDKs ask for the second one, or for none and speak JSON. */
const SUBPROTOCOLS: ReadonlySet<string> = new Set(['centrifuge-json', 'centrifuge-protobuf']);

/** The first subprotocol that we speak of those that a client asks for, in its order; false: none. */
export function pickSubprotocol(asked: Iterable<string>): string | false {
  for (const name of asked) if (SUBPROTOCOLS.has(name)) return name;
  return false;
}

/**
 * The form of the protocol that a client speaks: by the subprotocol that was agreed on, or by the query
 * (`format=protobuf` or `cf_protocol=protobuf`), as Centrifugo takes it. JSON if nothing asks for Protobuf.
 */
export function pickCodec(subprotocol: string, url: string): Codec {
  if (subprotocol === 'centrifuge-protobuf') return PROTOBUF_CODEC;
  const query = new URLSearchParams(url.split('?')[1] ?? '');
  const asks = query.get('format') === 'protobuf' || query.get('cf_protocol') === 'protobuf';
  return asks ? PROTOBUF_CODEC : JSON_CODEC;
}
