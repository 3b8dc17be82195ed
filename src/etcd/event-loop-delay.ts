// How late the event loop runs what is due. Rule: a look takes what was measured since the one before, by whomever.
// A long stall counts once, however many calls wait for it: the maximum tells of it, the percentiles hardly do.
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

/** Between two ticks. Node.js counts it as delay; a stall may look shorter by as much. */
const RESOLUTION_MS = 5;

/** Seconds. */
export interface Delays {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export const NO_DELAYS: Delays = { mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };

type Histogram = Pick<
  IntervalHistogram,
  "count" | "mean" | "max" | "percentile" | "reset" | "enable" | "disable"
>;

export class EventLoopDelay {
  readonly #histogram: Histogram;
  readonly #resolutionMs: number;

  constructor(
    histogram: Histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS }),
    resolutionMs = RESOLUTION_MS,
  ) {
    this.#histogram = histogram;
    this.#resolutionMs = resolutionMs;
    histogram.enable();
  }

  /** What was measured since the last call, which begins anew with this one. */
  take(): Delays {
    const histogram = this.#histogram;
    if (histogram.count === 0) return NO_DELAYS;
    const seconds = (nanoseconds: number): number =>
      Math.max(0, nanoseconds / 1e9 - this.#resolutionMs / 1e3);
    const percentile = (percent: number): number => seconds(histogram.percentile(percent));
    const delays = {
      mean: seconds(histogram.mean),
      p50: percentile(50),
      p90: percentile(90),
      p99: percentile(99),
      p999: percentile(99.9),
      max: seconds(histogram.max),
    };
    histogram.reset();
    return delays;
  }

  close(): void {
    this.#histogram.disable();
  }
}
