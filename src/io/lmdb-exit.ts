// When the process ends lmdb closes every store that is open. Rule: not after one has failed, for then lmdb waits for a
// lock that it never let go of, and the process never ends.

/** lmdb's own, known by having come while it opened a store; it comes but once. */
const listeners = new Set<NodeJS.ExitListener>();

/** Runs `open`, and remembers what lmdb registers in it for the end of the process. */
export function openingLmdb<T>(open: () => T): T {
  const before = process.listeners("exit");
  const opened = open();
  for (const listener of process.listeners("exit")) if (!before.includes(listener)) listeners.add(listener);
  return opened;
}

/** A store has failed: all are left open at the end of the process. */
export function leaveOpenAtExit(): void {
  for (const listener of listeners) process.off("exit", listener);
}
