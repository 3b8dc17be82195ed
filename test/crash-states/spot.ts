// Where a state is: workload, variant, point, and what chance decides there; as text, so that it can be made again.
import type { Choice } from "./places.js";

export interface Spot {
  readonly workload: string;
  readonly variant: number;
  /** The number of the step before which the power ends. */
  readonly point: number;
  /** Killed: the process ends there, and the power when the next one has started. */
  readonly choice: Choice | "killed";
}

export function spotText({ workload, variant, point, choice }: Spot): string {
  return `${workload}/${variant}/${point}/${choice === "killed" ? choice : choice.join(".")}`;
}

/** The inverse of `spotText`; null for what is none. */
export function readSpot(text: string): Spot | null {
  const [, workload, variant, point, choice] =
    /^([a-z-]+)\/(\d+)\/(\d+)\/(killed|(?:\d+(?:\.\d+)*)?)$/.exec(text) ?? [];
  if (workload === undefined || choice === undefined) return null;
  const outcomes = choice === "" ? [] : choice.split(".").map(Number);
  return {
    workload,
    variant: Number(variant),
    point: Number(point),
    choice: choice === "killed" ? choice : outcomes,
  };
}
