// Slots that damage holds up, as a leader tells them (A4).
import type { ReplicaId, Slot } from "./ballot.js";

export interface LostSlots {
  readonly slots: readonly Slot[];
  /** Voters that have not spoken for all of them, and may have what is missing; none: it is lost. */
  readonly unheard: readonly ReplicaId[];
}

export const NONE_LOST: LostSlots = { slots: [], unheard: [] };
