/** How a process that has handed its leadership over becomes a standby. */

/**
 * Puts a new process in the place of this one: the same program, with the same arguments, environment and id, and nothing else
 * of it. To its container nothing ended; a container that ends is started again after ever longer pauses (10 s to 5 min, also
 * after exit code 0), and the operator would be without a standby for as long. What must be closed in order is closed before:
 * no handler of the process' end is called. Throws where the system has no execve(2), or refuses it.
 */
export function beginAgain(): never {
  const { execPath, execArgv, argv } = process;
  if (process.execve === undefined) throw new Error('there is no execve(2) on this system');
  return process.execve(execPath, [execPath, ...execArgv, ...argv.slice(1)], process.env);
}
