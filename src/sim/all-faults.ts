// Every kind of fault, by its name: what a schedule names, and what a full campaign must have met.
import { DAMAGE_FAULTS, DISK_FAULTS } from "./disk-faults.js";
import type { Fault } from "./fault.js";
import { NETWORK_FAULTS } from "./network-faults.js";
import { PROCESS_FAULTS } from "./process-faults.js";
import { ROT_FAULTS } from "./rot-faults.js";

export const ALL_FAULTS: readonly Fault[] = [
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...DISK_FAULTS,
  ...DAMAGE_FAULTS,
  ...ROT_FAULTS,
];

/** Null: there is none of that name. */
export function faultNamed(name: string): Fault | null {
  return ALL_FAULTS.find((fault) => fault.name === name) ?? null;
}
