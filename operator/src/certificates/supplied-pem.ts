/** PEM texts that a user supplies (RFC 7468). What is in a block is never part of an answer: it may be a private key. */

/** One block of a PEM text. */
interface PemBlock {
  /** What the BEGIN line says, such as `CERTIFICATE`. It is the user's text: see {@link describeBlock}. */
  label: string;
  /** From the BEGIN line to the END line, both included. */
  text: string;
}

/** What may be in a block, for a person. */
const KNOWN_LABELS: Readonly<Record<string, string>> = {
  CERTIFICATE: 'a certificate',
  'X509 CERTIFICATE': 'a certificate in an old form (write it as a CERTIFICATE block)',
  'TRUSTED CERTIFICATE': "a certificate in OpenSSL's own form (openssl x509 converts it)",
  'CERTIFICATE REQUEST': 'a certificate request',
  'NEW CERTIFICATE REQUEST': 'a certificate request',
  'PUBLIC KEY': 'a public key',
  'RSA PUBLIC KEY': 'a public key',
  'X509 CRL': 'a revocation list',
  PKCS7: 'a PKCS #7 bundle (openssl pkcs7 -print_certs converts it)',
  CMS: 'a PKCS #7 bundle (openssl pkcs7 -print_certs converts it)',
};

/**
 * The blocks of a PEM text, in order; text around them is allowed (RFC 7468, 2). Undefined when a block is not whole, or
 * its BEGIN or END does not have a line of its own: TLS libraries then read less than was meant. Linear in the text's
 * length, as users write it.
 */
export function readPem(text: string): PemBlock[] | undefined {
  const lines = [...text.matchAll(/^-----(BEGIN|END) ([^\r\n-]*)-----[ \t\r]*$/gm)];
  if (lines.length !== (text.match(/-----(?:BEGIN|END) /g) ?? []).length || lines.length % 2 !== 0)
    return undefined;
  const blocks: PemBlock[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    const [begin, end] = [lines[at], lines[at + 1]];
    if (begin?.[1] !== 'BEGIN' || end?.[1] !== 'END' || begin[2] !== end[2]) return undefined;
    blocks.push({
      label: begin[2] ?? '',
      text: `${text.slice(begin.index, end.index)}${end[0].trimEnd()}\n`,
    });
  }
  return blocks;
}

/** True for a private key of any form. */
export function isPrivateKey({ label }: PemBlock): boolean {
  return label.endsWith('PRIVATE KEY');
}

/** True for a private key that only a passphrase opens (PKCS #8, or RFC 1421's header of the older forms). */
export function isEncryptedKey(block: PemBlock): boolean {
  return (
    block.label === 'ENCRYPTED PRIVATE KEY' ||
    (isPrivateKey(block) && block.text.includes('Proc-Type: 4,ENCRYPTED'))
  );
}

/** What a block holds, for a person. An unknown label is not repeated: it is the user's text. */
export function describeBlock(block: PemBlock): string {
  if (isPrivateKey(block)) return 'a private key';
  return KNOWN_LABELS[block.label] ?? 'a PEM block of an unknown kind';
}
