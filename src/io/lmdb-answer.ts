// Waits for lmdb's word on a write or a flush. Rule: one that fails is an error, never a wait without end; lmdb settles
// nothing when a sync or a write of its meta page has failed, nor what comes after that: it prints a line.

export interface AnswerLimits {
  readonly probeMs: number;
  readonly mostMs: number;
}

/** A disk that takes longer is broken, or as good as that. Time in which this process stood still does not count. */
const LIMITS: AnswerLimits = { probeMs: 100, mostMs: 20_000 };

/**
 * `probe` is called now and then, and throws when lmdb has given up; after that it answers nothing any more. Rejects
 * with what it throws, and when no word comes for too long.
 */
export function answered(
  answer: PromiseLike<unknown>,
  probe: () => void,
  { probeMs, mostMs }: AnswerLimits = LIMITS,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let probes = 0;
    const settle = (end: () => void): void => {
      clearInterval(timer);
      end();
    };
    const timer = setInterval(() => {
      try {
        probe();
      } catch (error) {
        settle(() => reject(error));
        return;
      }
      // A process that was stopped, or whose machine was, comes here before it is told what was done meanwhile.
      probes += 1;
      if (probes * probeMs < mostMs) return;
      const text = `the store has not finished a write in ${mostMs / 1000} s: its disk has failed, or stands still`;
      settle(() => reject(new Error(text)));
    }, probeMs);
    answer.then(
      () => settle(resolve),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
