/** What the command line says of itself, and refuses before it asks anybody. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import { registerFailover } from './failover.ts';
import { registerRotate } from './rotate.ts';
import { registerVerify } from './verify.ts';

function program(): { program: Command; said: () => string } {
  let text = '';
  const made = new Command('causeway');
  registerFailover(made);
  registerRotate(made);
  registerVerify(made);
  const quiet = (command: Command): void => {
    command.exitOverride().configureOutput({
      writeOut: (more) => (text += more),
      writeErr: (more) => (text += more),
    });
    for (const one of command.commands) quiet(one);
  };
  quiet(made);
  return { program: made, said: () => text };
}

async function run(...words: string[]): Promise<string> {
  const { program: made, said } = program();
  await assert.rejects(made.parseAsync(words, { from: 'user' }));
  return said();
}

describe('--help', () => {
  for (const command of ['start', 'watch', 'pause', 'abort', 'report'])
    it(`of failover ${command} has examples of it, and its exit codes`, async () => {
      const text = await run('failover', command, '--help');
      assert.match(text, new RegExp(`^Examples:\\n[^]*^  causeway failover ${command} `, 'm'));
      assert.match(text, /^Exit codes: 0 /m);
    });

  it('shows times as people write them', async () => {
    assert.match(await run('verify', '--help'), /how long a zone may take \(default: 10m\)/);
    assert.match(await run('rotate', '--help'), /how long to follow it \(default:\s+30m\)/);
  });
});

describe('an option', () => {
  it('that is to be a whole number is refused when it is none, also when it is nothing', async () => {
    for (const wrong of ['', ' ', '1.5', '-1', '1e3', '0x10', '99999999999999999999'])
      assert.match(
        await run('failover', 'start', 'orders', '--from', 'zone-a', `--max-lag=${wrong}`),
        /is invalid\. It must be a whole number\./,
        JSON.stringify(wrong),
      );
  });

  it('that is to be a duration is refused when it is none', async () => {
    assert.match(await run('verify', 'orders', '--timeout', 'soon'), /write a duration such as 90s or 10m\./);
    assert.match(
      await run('failover', 'start', 'orders', '--from', 'zone-a', '--hold', ''),
      /write a duration such as 90s or 5m\./,
    );
  });
});
