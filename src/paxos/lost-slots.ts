// Slots that damage holds up, as a leader tells them, or a candidate whom it keeps from leading (A4).
import type { ReplicaId, Slot } from "./ballot.js";

export interface LostSlots {
  /** Ascending. */
  readonly slots: readonly Slot[];
  /** All slots from it on, where the ends of logs are lost: nobody may lead; 0: they are not. */
  readonly from: Slot;
  /** Voters that have not spoken for all of them, and whose word may be enough; none: it is lost. */
  readonly unheard: readonly ReplicaId[];
}

export const NONE_LOST: LostSlots = { slots: [], from: 0, unheard: [] };
