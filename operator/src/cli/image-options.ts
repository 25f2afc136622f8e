/** The options that name the images of the parts; the chart sets them by variable. */
import { Option, type Command } from 'commander';
import type { Images } from '../platform/index.ts';

/** As commander gives them. */
export interface ImageOptions {
  gatewayBunImage: string;
  gatewayNodeImage: string;
  redisImage: string;
  etcdImage: string;
  imagePullSecrets: string[];
}

/** Adds an option for each image, and --image-pull-secrets. */
export function addImageOptions(command: Command): Command {
  return command
    .addOption(
      image(
        '--gateway-bun-image <ref>',
        'image of gateways on Bun',
        'RELATED_IMAGE_GATEWAY_BUN',
        'causeway/gateway:0.1.0-bun',
      ),
    )
    .addOption(
      image(
        '--gateway-node-image <ref>',
        'image of gateways on Node, and of replicators',
        'RELATED_IMAGE_GATEWAY_NODE',
        'causeway/gateway:0.1.0-node',
      ),
    )
    .addOption(
      image('--redis-image <ref>', 'image of Redis', 'RELATED_IMAGE_REDIS', 'docker.io/library/redis:7.4'),
    )
    .addOption(
      image('--etcd-image <ref>', 'image of etcd', 'RELATED_IMAGE_ETCD', 'quay.io/coreos/etcd:v3.6.6'),
    )
    .addOption(
      new Option(
        '--image-pull-secrets <names>',
        'pull Secrets in the platforms’ namespaces, separated by commas',
      )
        .env('IMAGE_PULL_SECRETS')
        .argParser(parseList)
        .default([], 'none'),
    );
}

function image(flags: string, description: string, variable: string, fallback: string): Option {
  return new Option(flags, description).env(variable).default(fallback);
}

/** A list separated by commas. */
export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** All images, with defaults. */
export function imagesOf(options: ImageOptions): Images {
  return {
    gatewayBun: options.gatewayBunImage,
    gatewayNode: options.gatewayNodeImage,
    redis: options.redisImage,
    etcd: options.etcdImage,
    ...(options.imagePullSecrets.length === 0 ? {} : { pullSecrets: options.imagePullSecrets }),
  };
}

/** Only what was asked for, by option or by variable. */
export function askedImages(command: Command, options: ImageOptions): Partial<Images> {
  const keys = {
    gatewayBun: 'gatewayBunImage',
    gatewayNode: 'gatewayNodeImage',
    redis: 'redisImage',
    etcd: 'etcdImage',
    pullSecrets: 'imagePullSecrets',
  } as const;
  const asked = Object.entries(keys).filter(
    ([, option]) => command.getOptionValueSource(option) !== 'default',
  );
  return Object.fromEntries(asked.map(([key, option]) => [key, options[option]]));
}
