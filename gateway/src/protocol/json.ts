import type { Codec } from './codec.ts';
import { decodeJson } from './json-decode.ts';
import { ENCODING_TAG, Payload } from './payload.ts';
import type { PublicationPush, Pushes, Results, SubscribeResult } from './reply.ts';

/** The JSON form: objects, one for each line. */
export const JSON_CODEC: Codec = {
  name: 'json',
  binary: false,
  ping: '{}',
  decode: (frame) => decodeJson(frame.toString()),
  reply: (id, what, result) => `{"id":${id},"${what}":${(RESULTS[what] ?? write)(result)}}`,
  push: (channel, what, push) => {
    const place = channel === '' ? '' : `"channel":${JSON.stringify(channel)},`;
    return `{"push":{${place}"${what}":${(PUSHES[what] ?? write)(push)}}}`;
  },
};

type Writers<T> = { [K in keyof T]?: (value: T[K]) => string };

/** What holds publications is put together: they are there as text already. */
const RESULTS: Writers<Results> = {
  connect: ({ subs, ...rest }) => {
    const all = [...(subs ?? [])].map(
      ([channel, sub]) => [channel, new Written(withPublications(sub))] as const,
    );
    return members({ ...rest, subs: subs && new Map(all) });
  },
  subscribe: withPublications,
  history: withPublications,
};
const PUSHES: Writers<Pushes> = { pub: publication };

/** JSON that is written already. */
class Written {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function withPublications({ publications = [], ...rest }: Pick<SubscribeResult, 'publications'>): string {
  const list = publications.map(publication).join(',');
  return members({ ...rest, publications: list === '' ? undefined : new Written(`[${list}]`) });
}

function publication({ data, info, offset, tags, epoch, channel }: PublicationPush): string {
  const all = data.form === 'bytes' ? { ...tags, [ENCODING_TAG.key]: ENCODING_TAG.value } : tags;
  let text = `{"data":${data.json}`;
  if (info !== '') text += `,"info":${info}`;
  text += `,"offset":${offset}`;
  if (epoch !== undefined) text += `,"epoch":${JSON.stringify(epoch)}`;
  if (all !== undefined) text += `,"tags":${JSON.stringify(all)}`;
  if (channel !== undefined) text += `,"channel":${JSON.stringify(channel)}`;
  return `${text}}`;
}

/** An object of what is set. */
function members(value: object): string {
  const entries = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
  const written = entries.flatMap(([name, member]) =>
    member === undefined ? [] : [`${JSON.stringify(name)}:${write(member)}`],
  );
  return `{${written.join(',')}}`;
}

function write(value: unknown): string {
  if (value instanceof Payload) return value.json;
  if (value instanceof Written) return value.text;
  if (value instanceof Map) return members(value);
  return isPlain(value) ? members(value) : JSON.stringify(value);
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
