/** Machine-readable output, the same for every command. */
import { InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';

/** How a command prints; `text` is for people. */
export type OutputFormat = 'text' | 'json' | 'yaml';

/** `-o`, with the name that the command has for its form for people. */
export function outputOption(human: 'text' | 'table'): Option {
  const formats = [human, 'json', 'yaml'];
  return new Option('-o, --output <format>', `${formats.slice(0, -1).join(', ')} or yaml`)
    .default('text', human)
    .argParser((text): OutputFormat => {
      if (!formats.includes(text)) throw new InvalidArgumentError(`It must be ${formats.join(', ')}.`);
      return text === human ? 'text' : (text as OutputFormat);
    });
}

/** A value as a whole document with its line end. YAML documents are separated by `---` when there are `several`. */
export function machineText(
  value: unknown,
  format: Exclude<OutputFormat, 'text'>,
  several: boolean = false,
): string {
  if (format === 'yaml') return `${several ? '---\n' : ''}${yamlText(value)}`;
  return `${JSON.stringify(value, null, several ? undefined : 2)}\n`;
}

/** YAML as kubectl writes it: no anchors, no folding. */
export function yamlText(value: unknown, options: { sorted?: boolean } = {}): string {
  return stringify(value, {
    aliasDuplicateObjects: false,
    lineWidth: 0,
    sortMapEntries: options.sorted ?? false,
  });
}
