/** Longest channel name, as in Centrifugo. */
export const MAX_CHANNEL_LENGTH = 255;

/** Visible ASCII: a channel is a Kafka key, part of a Redis key and a log field. */
const FORM = /^[!-9;-~]+:[!-~]+$/;

/** The namespace of `chat:room1` is `chat`, the name of a topic of the platform. Undefined if it is no channel name. */
export function namespaceOf(channel: string): string | undefined {
  if (channel.length > MAX_CHANNEL_LENGTH || !FORM.test(channel)) return undefined;
  return channel.slice(0, channel.indexOf(':'));
}
