// All workloads, and of how many of all states each has its share.
import { LOG_WORKLOADS } from "./log-workloads.js";
import { REPLICA_WORKLOADS } from "./replica-workloads.js";
import type { Workload } from "./scene.js";

export const WORKLOADS: readonly Workload[] = [...LOG_WORKLOADS, ...REPLICA_WORKLOADS];

export function workloadNamed(name: string): Workload | null {
  return WORKLOADS.find((workload) => workload.name === name) ?? null;
}

/** Where little is written there are few states. */
const SMALL_SHARES: Readonly<Record<string, number>> = { "first-start": 1, promise: 2 };
const SHARE = 4;

/** How many of `states` are of each workload. */
export function sharesOf(states: number): Map<string, number> {
  const weights = new Map(WORKLOADS.map(({ name }) => [name, SMALL_SHARES[name] ?? SHARE]));
  const all = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  return new Map([...weights].map(([name, weight]) => [name, Math.ceil((states * weight) / all)]));
}
