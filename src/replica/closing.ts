// The end of a replica. Rule: nothing is left open because what was closed before it has failed, for nobody else
// closes it, and the lock of the directory goes last.

export type ClosingStep = () => Promise<unknown> | undefined;

/** One after the other; rejects with the first failure when all are done. */
export async function closeAll(steps: readonly ClosingStep[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
