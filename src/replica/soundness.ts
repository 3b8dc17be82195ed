// Whether the state here may be shown: not while it is not that of the majority (fenced), nor while it is that of an
// earlier time, for what was held is lost (rebuilding). Rule: whoever shows the state, or tells of it, asks here.
import type { Slot } from "../paxos/ballot.js";
import { type LostSlots, NONE_LOST } from "../paxos/lost-slots.js";
import type { Notice } from "../paxos/outbox.js";
import { Divergence, type DivergencePorts } from "./divergence.js";
import { lostAlarms } from "./lost-alarms.js";
import type { Opened } from "./opening.js";

export class Soundness<C, R, Q, A> {
  readonly #opened: Opened<C, R, Q, A>;
  readonly #ports: DivergencePorts;
  #isRebuilding: boolean;
  /** What the log cannot show here nor elsewhere. */
  #lost: LostSlots;
  readonly divergence: Divergence<C, R, Q, A>;

  constructor(opened: Opened<C, R, Q, A>, ports: DivergencePorts) {
    this.#opened = opened;
    this.#ports = ports;
    this.divergence = new Divergence(opened, ports);
    this.#lost = NONE_LOST;
    this.#isRebuilding = this.rebuildingUpTo > 0;
    for (const text of [...opened.faults, ...this.#rebuildingAlarms]) ports.onFault(text);
  }

  /** Until it holds this slot the state is that of an earlier time than this replica has shown; 0: it is whole. */
  get rebuildingUpTo(): Slot {
    const { rebuildUpTo, executor } = this.#opened;
    return rebuildUpTo > executor.appliedUpTo ? rebuildUpTo : 0;
  }

  /** Why the state as it is now is shown to nobody; null: it is. A linearizable read may wait for what is rebuilt. */
  get reason(): string | null {
    const upTo = this.rebuildingUpTo;
    if (this.divergence.isFenced || upTo === 0) return this.divergence.reason;
    return `the state is being rebuilt: it is that of slot ${this.#opened.executor.appliedUpTo}, of ${upTo}`;
  }

  /** What an operator should know, as sentences. */
  get alarms(): readonly string[] {
    return [...this.divergence.alarms, ...this.#rebuildingAlarms, ...lostAlarms(this.#lost)];
  }

  onNotice(notice: Notice & { readonly kind: "lost" | "diverged" | "divided" }): void {
    if (notice.kind !== "lost") {
      this.divergence.onNotice(notice);
      return;
    }
    const wasLost = isAnyLost(this.#lost);
    // What the log need not show is in the state, wherever that is.
    const { compactedUpTo } = this.#opened.wal;
    this.#lost = { ...notice, slots: notice.slots.filter((slot) => slot > compactedUpTo) };
    for (const text of lostAlarms(this.#lost)) this.#ports.onFault(text);
    if (wasLost && !isAnyLost(this.#lost)) this.#ports.onWell("no slot is known here to be lost any more");
  }

  get #rebuildingAlarms(): readonly string[] {
    const upTo = this.rebuildingUpTo;
    if (upTo === 0) return [];
    return [
      `this replica has lost the state of slots ${this.#opened.executor.appliedUpTo + 1} to ${upTo}: it takes it from ` +
        "its peers, and serves no reads until it has it",
    ];
  }

  /** Something was executed, or has come from a snapshot. */
  applied(): void {
    if (!this.#isRebuilding || this.rebuildingUpTo > 0) return;
    this.#isRebuilding = false;
    this.#ports.onWell("the state is whole again");
  }
}

function isAnyLost({ slots, from }: LostSlots): boolean {
  return slots.length > 0 || from > 0;
}
