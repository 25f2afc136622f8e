/** The service as strangers see it: from the .proto file, by another library than ours. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import type { DescService } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { DescriptorProto } from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

const FILE = join(import.meta.dirname, '..', '..', '..', 'proto', 'causeway', 'sync', 'v1', 'sync.proto');
const PACKAGE = 'causeway.sync.v1';

/** The messages of the .proto file, for protobufjs. */
export function loadSchema(): protobuf.Root {
  const root = new protobuf.Root();
  protobuf.parse(readFileSync(FILE, 'utf8'), root, { keepCase: true });
  root.resolveAll();
  return root;
}

/** The service, for Connect's clients. */
export function loadService(): DescService {
  const root = loadSchema() as protobuf.Root & { toDescriptor(syntax: string): protobuf.Message };
  const set = descriptor.FileDescriptorSet.encode(root.toDescriptor('proto3')).finish();
  const files = fromBinary(FileDescriptorSetSchema, set);
  for (const file of files.file) {
    file.syntax = 'proto3';
    for (const message of file.messageType) qualify(message);
  }
  const service = createFileRegistry(files).getService(`${PACKAGE}.SyncService`);
  if (!service) throw new Error('the .proto file has no SyncService');
  return service;
}

/** protobufjs leaves names relative, and does not mark optional fields. */
function qualify({ name, field, enumType, oneofDecl }: DescriptorProto): void {
  for (const one of field) {
    const oneof = one.oneofIndex === undefined ? undefined : oneofDecl[one.oneofIndex];
    if (oneof?.name.startsWith('_') === true) one.proto3Optional = true;
    if (one.typeName === '' || one.typeName.startsWith('.')) continue;
    const nested = enumType.some((type) => type.name === one.typeName);
    one.typeName = `.${PACKAGE}.${nested ? `${name}.` : ''}${one.typeName}`;
  }
}
