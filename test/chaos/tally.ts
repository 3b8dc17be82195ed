// What a campaign did and met, for its last lines.
import type { Load } from "./load.js";

export class Tally {
  cycles: number;
  endedByItself: number;
  killsWhileStarting: number;
  readonly #kills: Map<string, number>;
  readonly #faults: Map<string, number>;
  #sectors: number;
  #entries: number;
  #acknowledged: number;
  #unknown: number;
  #restarts: number[];

  constructor() {
    this.cycles = 0;
    this.endedByItself = 0;
    this.killsWhileStarting = 0;
    this.#kills = new Map();
    for (const size of ["one", "two", "all"]) {
      for (const way of ["plain", "lossy"]) this.#kills.set(`${size} ${way}`, 0);
    }
    this.#faults = new Map();
    this.#sectors = 0;
    this.#entries = 0;
    this.#acknowledged = 0;
    this.#unknown = 0;
    this.#restarts = [];
  }

  killed(count: number, all: number, isLossy: boolean): void {
    const size = count === all ? "all" : count === 1 ? "one" : "two";
    const kind = `${size} ${isLossy ? "lossy" : "plain"}`;
    this.#kills.set(kind, this.#kills.get(kind)! + 1);
  }

  /** Texts of the journal: the kind, a space, the file. */
  struck(faults: readonly string[]): void {
    for (const fault of faults) {
      const kind = fault.split(" ")[0]!;
      this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
    }
  }

  lost(sectors: number, entries: number): void {
    this.#sectors += sectors;
    this.#entries += entries;
  }

  served(ms: number): void {
    this.#restarts.push(ms);
  }

  count({ acknowledged, unknown }: Load): void {
    this.#acknowledged = acknowledged.size;
    this.#unknown = unknown.size;
  }

  lines(): string[] {
    const each = (counts: ReadonlyMap<string, number>): string =>
      [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
    const restarts = [...this.#restarts].sort((a, b) => a - b);
    const at = (part: number): string =>
      `${Math.round(restarts[Math.floor(part * (restarts.length - 1))] ?? 0)} ms`;
    return [
      `${this.cycles} cycles`,
      `kills: ${each(this.#kills)}; ${this.killsWhileStarting} of them while starting`,
      `lost with the power: ${this.#sectors} unsynced sectors, ${this.#entries} unsynced names`,
      `injected: ${each(this.#faults) || "nothing"}; ${this.endedByItself} times a process ended at an error and came back`,
      `writes: ${this.#acknowledged} acknowledged, ${this.#unknown} unknown`,
      `from launch to serving: median ${at(0.5)}, slowest ${at(1)}`,
    ];
  }
}
