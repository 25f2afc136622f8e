/**
 * Keeps one known warning away from people: kafkajs 2.2.4 asks for a timer in the past with every request, which
 * Node takes as one millisecond, as kafkajs means it, and warns of. Every other warning is shown.
 */
export function quietKnownWarnings(): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    if (name !== 'TimeoutNegativeWarning') process.stderr.write(`warning: ${name}: ${message}\n`);
  });
}
