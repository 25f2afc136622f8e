/** Content of a Secret as text: keys and decoded values. */
export type SecretData = Readonly<Record<string, string>>;

/** Decodes a Secret's `data` (base64 each). */
export function decodeSecret(data: Readonly<Record<string, string>> | undefined): SecretData {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('latin1')]),
  );
}

/** The reverse of {@link decodeSecret}. Text is taken as Latin-1, so that bytes survive. */
export function encodeSecret(data: SecretData): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'latin1').toString('base64')]),
  );
}
