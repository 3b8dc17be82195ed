// All combinations of the grids that are wanted, in lots, on several threads.
import { Worker } from "node:worker_threads";
import { COMBINATIONS } from "./combination.js";
import type { GridKind } from "./grid.js";
import type { Lot, LotAnswer } from "./worker.js";

const LOT = 16;
/** Of each grid so many that went wrong are told. */
const SHOWN = 5;

export interface Tally {
  readonly grid: GridKind;
  /** Combinations tried in which each part has a good copy somewhere, and those in which one has none. */
  recoverable: number;
  lost: number;
  /** What became of them. */
  recovered: number;
  unavailable: number;
  wrong: number;
  readonly shown: { readonly combination: number; readonly what: string }[];
}

export class Campaign {
  readonly #workers: number;
  readonly #lots: Lot[];
  readonly tallies: readonly Tally[];

  constructor(grids: readonly GridKind[], workers: number) {
    this.#workers = workers;
    this.#lots = grids.flatMap(lotsOf);
    this.tallies = grids.map((grid) => ({
      grid,
      recoverable: 0,
      lost: 0,
      recovered: 0,
      unavailable: 0,
      wrong: 0,
      shown: [],
    }));
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#workers }, () => this.#work()));
  }

  #work(): Promise<void> {
    const worker = new Worker(new URL("./worker.js", import.meta.url));
    return new Promise((resolve, reject) => {
      const go = () => {
        const lot = this.#lots.shift();
        if (lot === undefined) worker.terminate().then(() => resolve(), reject);
        else worker.postMessage(lot);
      };
      worker.on("error", reject);
      worker.on("message", (answer: LotAnswer) => {
        this.#count(answer);
        go();
      });
      go();
    });
  }

  #count({ grid, tries }: LotAnswer): void {
    const tally = this.tallies.find((one) => one.grid.name === grid)!;
    for (const { combination, isRecoverable, outcome } of tries) {
      if (isRecoverable) tally.recoverable += 1;
      else tally.lost += 1;
      tally[outcome.kind] += 1;
      if (outcome.kind === "wrong" && tally.shown.length < SHOWN)
        tally.shown.push({ combination, what: outcome.what });
    }
  }
}

function lotsOf({ name, every }: GridKind): Lot[] {
  const lots: Lot[] = [];
  for (let from = 0; from < COMBINATIONS; from += LOT * every) {
    const combinations: number[] = [];
    for (let at = from; at < Math.min(from + LOT * every, COMBINATIONS); at += every) combinations.push(at);
    lots.push({ grid: name, combinations });
  }
  return lots;
}
