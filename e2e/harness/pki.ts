import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../tools/index.ts';
import { removeFolder, temporaryFolder } from './supervise.ts';

/** A throw-away authority for tests, with PEM files on disk. */
export interface TestPki {
  readonly caFile: string;
  /** A certificate for servers and clients, valid one day. `names`: DNS names and IPv4 addresses. */
  issue(commonName: string, names: readonly string[]): Promise<{ certFile: string; keyFile: string }>;
  /** Removes the files. They are removed at the end of the process in any case. */
  remove(): void;
}

/** A new authority (EC P-256). Needs the `openssl` command. */
export async function createTestPki(): Promise<TestPki> {
  const folder = temporaryFolder('pki');
  const caKey = join(folder, 'ca.key');
  const caFile = join(folder, 'ca.crt');
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('openssl', [
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    caKey,
    '-out',
    caFile,
    '-days',
    '1',
    '-subj',
    '/CN=test authority',
  ]);
  let issued = 0;
  return {
    caFile,
    async issue(commonName, names) {
      const base = join(folder, String(++issued));
      const [keyFile, csrFile, certFile] = [`${base}.key`, `${base}.csr`, `${base}.crt`];
      const san = names.map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
      writeFileSync(`${base}.ext`, `subjectAltName=${san}\nextendedKeyUsage=serverAuth,clientAuth\n`);
      await run('openssl', [
        'req',
        ...newKey,
        '-keyout',
        keyFile,
        '-out',
        csrFile,
        '-subj',
        `/CN=${commonName}`,
      ]);
      const sign = [
        '-CA',
        caFile,
        '-CAkey',
        caKey,
        // Not from the file beside the authority: two that are issued at once would both write it.
        '-set_serial',
        `0x${randomBytes(15).toString('hex')}`,
        '-days',
        '1',
        '-extfile',
        `${base}.ext`,
      ];
      await run('openssl', ['x509', '-req', '-in', csrFile, '-out', certFile, ...sign]);
      return { certFile, keyFile };
    },
    remove: () => removeFolder(folder),
  };
}
