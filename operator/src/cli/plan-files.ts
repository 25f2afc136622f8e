/** The files of `causeway plan -f`: which platforms are in them, and what else there is. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { API_GROUP, API_GROUP_VERSION } from '@causeway/crds';
import { decodeSecret, type SecretData } from '../certificates/index.ts';
import { isObject, type KubeObject } from '../controller/index.ts';

/** A MessagePlatform as a person wrote it: nothing in it has been checked but its kind and its name. */
export interface PlatformFile extends KubeObject {
  metadata: KubeObject['metadata'] & { namespace: string };
  spec?: unknown;
}

/** All that the files say. */
export interface Manifests {
  platforms: PlatformFile[];
  /** Secrets by `namespace/name`: a platform may need them, and they will be there when the files are applied. */
  secrets: Map<string, SecretData>;
  /** Names of Namespaces, which will be there as well. */
  namespaces: Set<string>;
  /** What is no MessagePlatform, as `Kind name`. */
  skipped: string[];
}

/** Where documents go that name no namespace, and the namespace that `-n` insists on. */
export interface NamespaceRule {
  fallback: string;
  required: string | undefined;
}

/** Reads files and directories; `-` is `stdin`. Throws with the file and the line of what cannot be read. */
export function readManifests(
  paths: readonly string[],
  stdin: string | undefined,
  rule: NamespaceRule,
): Manifests {
  const found: Manifests = { platforms: [], secrets: new Map(), namespaces: new Set(), skipped: [] };
  for (const path of paths) {
    for (const { name, text } of path === '-'
      ? [{ name: 'standard input', text: stdin ?? '' }]
      : readPath(path)) {
      for (const object of parseObjects(name, text)) sort(object, { name, rule, found });
    }
  }
  if (found.platforms.length > 0) return found;
  const instead = found.skipped.length === 0 ? 'it is empty' : `there is only ${found.skipped.join(', ')}`;
  throw new Error(
    `${paths.join(', ')}: no MessagePlatform to plan for; ${instead}. Give a file with kind: MessagePlatform.`,
  );
}

function readPath(path: string): { name: string; text: string }[] {
  try {
    const files = statSync(path).isDirectory()
      ? readdirSync(path)
          .filter((name) => /\.(ya?ml|json)$/.test(name))
          .sort()
          .map((name) => join(path, name))
      : [path];
    return files.map((name) => ({ name, text: readFileSync(name, 'utf8') }));
  } catch (error) {
    const { code } = error as { code?: string };
    const why = code === 'ENOENT' ? 'no such file or directory' : (error as Error).message;
    throw new Error(`${path}: ${why}. -f takes a file, a directory, or - for standard input.`, {
      cause: error,
    });
  }
}

function parseObjects(name: string, text: string): Record<string, unknown>[] {
  const documents = parseAllDocuments(text, { merge: true });
  return [...documents].flatMap((document) => {
    const [fault] = document.errors;
    if (fault !== undefined)
      throw new Error(`${name}: ${(fault.message.split('\n')[0] ?? fault.code).replace(/:$/, '.')}`);
    const value: unknown = document.toJS();
    if (value === null || value === undefined) return [];
    if (!isObject(value)) throw new Error(`${name}: a document is no Kubernetes object, but a bare value.`);
    // `kubectl get -o yaml` wraps what it gives in a List.
    return value['kind'] === 'List' && Array.isArray(value['items'])
      ? value['items'].filter(isObject)
      : [value];
  });
}

function sort(
  object: Record<string, unknown>,
  { name: file, rule, found }: { name: string; rule: NamespaceRule; found: Manifests },
): void {
  const { apiVersion, kind, metadata } = object;
  const meta = isObject(metadata) ? metadata : {};
  if (typeof apiVersion !== 'string' || typeof kind !== 'string')
    throw new Error(`${file}: a document has no apiVersion or no kind.`);
  const isPlatform = kind === 'MessagePlatform' && apiVersion.startsWith(`${API_GROUP}/`);
  const name = meta['name'];
  if (typeof name !== 'string' || name === '') {
    if (isPlatform) throw new Error(`${file}: a MessagePlatform has no metadata.name.`);
    found.skipped.push(kind);
    return;
  }
  const namespace = typeof meta['namespace'] === 'string' ? meta['namespace'] : rule.fallback;
  if (isPlatform) {
    found.platforms.push(platformOf(object, { file, name, namespace, apiVersion, rule }));
    return;
  }
  if (kind === 'Namespace') found.namespaces.add(name);
  if (kind === 'Secret') found.secrets.set(`${namespace}/${name}`, secretData(object));
  found.skipped.push(`${kind} ${name}`);
}

function platformOf(
  object: Record<string, unknown>,
  at: { file: string; name: string; namespace: string; apiVersion: string; rule: NamespaceRule },
): PlatformFile {
  const { file, name, namespace, apiVersion, rule } = at;
  if (apiVersion !== API_GROUP_VERSION)
    throw new Error(
      `${file}: MessagePlatform ${name} has apiVersion ${apiVersion}; this command knows ${API_GROUP_VERSION}.`,
    );
  if (rule.required !== undefined && namespace !== rule.required)
    throw new Error(
      `${file}: MessagePlatform ${name} is in namespace ${namespace}, and -n says ${rule.required}. Leave one of them out.`,
    );
  // What the server keeps, and a person who exported the object may have left in, is no wish.
  const { status: _status, ...wish } = object;
  const {
    managedFields: _fields,
    resourceVersion: _version,
    uid: _uid,
    ...meta
  } = object['metadata'] as Record<string, unknown>;
  return { ...wish, metadata: { ...meta, name, namespace } } as unknown as PlatformFile;
}

function secretData(object: Record<string, unknown>): SecretData {
  const plain = textsOf(object['stringData']).map(([key, text]) => [
    key,
    Buffer.from(text, 'utf8').toString('latin1'),
  ]);
  return { ...decodeSecret(Object.fromEntries(textsOf(object['data']))), ...Object.fromEntries(plain) };
}

function textsOf(value: unknown): [string, string][] {
  if (!isObject(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}
