// The one disk at a time of which sectors go bad. Rule: what is in them has a good copy at all the others. So another
// disk's turn comes only when the replica of this one is whole again: it has started since, all were level at the ends
// of two cycles, and only old records of the log are bad still, of slots that are in all states by then.
import type { Random } from "../../src/base/random.js";
import { SECTOR } from "./bad-sectors.js";
import { dataDirIn } from "./lossy-disk.js";
import type { Member } from "./member.js";
import { placesIn, type Spoilt, spoilAtRest, spoilLog } from "./spoiling.js";

/** In one half of so many cycles sectors go bad, in the other one the replica has time to heal. */
const PERIOD = 8;
const LEVEL_ENDS = 2;

export class BadDisk {
  readonly #members: readonly Member[];
  readonly #random: Random;
  #member: Member;
  /** Sectors have gone bad in its turn. */
  #isHurt: boolean;
  /** How often it had been launched when the last one did. */
  #launchesThen: number;
  #levelEnds: number;
  #failedReads: number;
  #sectors: number;
  #cyclesWithFailedReads: number;
  #healed: number;

  constructor(members: readonly Member[], random: Random) {
    this.#members = members;
    this.#random = random;
    this.#member = members[random.below(members.length)]!;
    this.#isHurt = false;
    this.#launchesThen = 0;
    this.#levelEnds = 0;
    this.#failedReads = 0;
    this.#sectors = 0;
    this.#cyclesWithFailedReads = 0;
    this.#healed = 0;
  }

  /** What went bad, in words, before `victims`, which are dead, start again; empty: nothing. */
  spoilAtRest(victims: readonly Member[], cycle: number): string {
    const { watched, badSectors } = this.#member;
    const isDue = isSpoiling(cycle) && victims.includes(this.#member) && this.#random.below(2) === 0;
    return isDue ? this.#spoil(spoilAtRest(dataDirIn(watched.root), badSectors.sectors, this.#random)) : "";
  }

  /** The same while all run. */
  spoilRunning(cycle: number): string {
    const isDue = isSpoiling(cycle) && this.#random.below(3) === 0;
    return isDue ? this.#spoil(spoilLog(dataDirIn(this.#member.watched.root), this.#random)) : "";
  }

  #spoil(spoilt: Spoilt | null): string {
    const member = this.#member;
    const count = spoilt === null ? 0 : member.badSectors.add(spoilt.file, spoilt.sectors);
    if (spoilt === null || count === 0) return "";
    this.#isHurt = true;
    this.#launchesThen = member.launches;
    this.#levelEnds = 0;
    this.#sectors += count;
    return `${member.plan.name} cannot read ${spoilt.name} at sectors ${spoilt.sectors.join("+")}`;
  }

  /** All are level; how many reads failed in the cycle. */
  endCycle(): number {
    let failedReads = 0;
    let isLogOnly = true;
    for (const { watched, badSectors } of this.#members) {
      const places = [...placesIn(dataDirIn(watched.root))].map(([name, place]) => ({ name, ...place }));
      const found = new Map(places.map((place) => [place.file, place]));
      badSectors.keep(({ file, sector }) => sector * SECTOR < (found.get(file)?.size ?? 0));
      failedReads += badSectors.failedReads;
      if (badSectors.sectors.some(({ file }) => !found.get(file)?.name.startsWith("log-"))) isLogOnly = false;
    }
    const inCycle = failedReads - this.#failedReads;
    this.#failedReads = failedReads;
    if (inCycle > 0) this.#cyclesWithFailedReads += 1;
    const isWhole = this.#isHurt && isLogOnly && this.#member.launches > this.#launchesThen;
    this.#levelEnds = isWhole ? this.#levelEnds + 1 : 0;
    if (this.#levelEnds >= LEVEL_ENDS) this.#next();
    return inCycle;
  }

  #next(): void {
    this.#healed += 1;
    this.#isHurt = false;
    this.#levelEnds = 0;
    const others = this.#members.filter((member) => member !== this.#member);
    this.#member = others[this.#random.below(others.length)]!;
  }

  line(): string {
    const left = this.#members.reduce((sum, { badSectors }) => sum + badSectors.sectors.length, 0);
    return (
      `bad sectors: ${this.#sectors}, ${left} of them still; ${this.#failedReads} reads failed, in ` +
      `${this.#cyclesWithFailedReads} cycles; ${this.#healed} times a member healed by itself`
    );
  }
}

function isSpoiling(cycle: number): boolean {
  return cycle % PERIOD < PERIOD / 2;
}
