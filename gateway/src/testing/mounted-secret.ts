/** A directory that changes as the kubelet changes a mounted Secret: all files at once, by swapping a symbolic link. */
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface MountedSecret {
  readonly dir: string;
  /** Replaces the contents. */
  write(files: Record<string, string | Buffer>): void;
  remove(): void;
}

export function mountSecret(files: Record<string, string | Buffer>): MountedSecret {
  const dir = mkdtempSync(join(tmpdir(), 'causeway-mount-'));
  let version = 0;
  const secret: MountedSecret = {
    dir,
    write(contents) {
      const old = `..v${version}`;
      version += 1;
      const name = `..v${version}`;
      mkdirSync(join(dir, name));
      for (const [key, value] of Object.entries(contents)) writeFileSync(join(dir, name, key), value);
      symlinkSync(name, join(dir, '..data_tmp'));
      renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
      const links = readdirSync(dir).filter((entry) => !entry.startsWith('..'));
      for (const key of Object.keys(contents)) {
        if (!links.includes(key)) symlinkSync(join('..data', key), join(dir, key));
      }
      for (const link of links) if (!(link in contents)) rmSync(join(dir, link));
      rmSync(join(dir, old), { recursive: true, force: true });
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
  secret.write(files);
  return secret;
}
