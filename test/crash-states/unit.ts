// One variant of a workload: of its last life every end of the power is tried, each state that it may leave once.
import { Random } from "../../src/base/random.js";
import { imageOf, sumOf } from "./disk-model.js";
import type { Found } from "./fact.js";
import { type LastLife, recordLives } from "./lives.js";
import { type Choice, choicesAt, choicesOf, type Place } from "./places.js";
import { killedAt, recordingOf } from "./recording.js";
import { recover } from "./recovery.js";
import type { Scene, Workload } from "./scene.js";
import { Sectors } from "./sectors.js";
import type { Spot } from "./spot.js";
import { Walk } from "./walk.js";

export interface UnitOptions {
  readonly seed: number;
  readonly variant: number;
  /** Choices that are tried at one point at most, and new states of all points together. */
  readonly mostOfPoint: number;
  readonly most: number;
  /** Only this is tried. */
  readonly alone?: Spot;
}

export interface Failure {
  readonly spot: Spot;
  readonly what: string;
}

export interface UnitResult {
  readonly points: number;
  /** Points that leave more choices than were tried: those were drawn. */
  readonly sampled: number;
  readonly recoveries: number;
  /** Of the states, each once. */
  readonly sums: Float64Array;
  readonly failure: Failure | null;
}

/** What a recovery came to: what it found, or what went wrong with it; equal ones have the same number. */
interface Outcome {
  readonly number: number;
  readonly found: Found | null;
  readonly wrong: string;
}

const KILLED_PATIENCE = 4;

export class Unit {
  readonly #workload: Workload;
  readonly #options: UnitOptions;
  readonly #sectors: Sectors;
  /** By the sum of the state. */
  readonly #outcomes: Map<number, Outcome>;
  /** By what it says. */
  readonly #known: Map<string, Outcome>;
  /** Of an outcome at a point; by both. */
  readonly #verdicts: Map<string, string | null>;
  readonly #random: Random;
  #points: number;
  #sampled: number;
  #recoveries: number;
  /** Where it is, for what ends the process. */
  spot: Spot;
  /** Told of every point before it is tried. */
  onPoint: (life: LastLife, walk: Walk) => void;

  constructor(workload: Workload, options: UnitOptions) {
    this.#workload = workload;
    this.#options = options;
    this.#sectors = new Sectors();
    this.#outcomes = new Map();
    this.#known = new Map();
    this.#verdicts = new Map();
    this.#random = new Random(seedOf(workload.name, options));
    this.#points = 0;
    this.#sampled = 0;
    this.#recoveries = 0;
    this.spot = { workload: workload.name, variant: options.variant, point: 0, choice: [] };
    this.onPoint = () => {};
  }

  /** To the first failure. */
  async run(): Promise<UnitResult> {
    const what = await this.#run().catch((error: Error) => `${error.name}: ${error.message}`);
    return {
      points: this.#points,
      sampled: this.#sampled,
      recoveries: this.#recoveries,
      sums: Float64Array.from(this.#outcomes.keys()),
      failure: what === null ? null : { spot: this.spot, what },
    };
  }

  async #run(): Promise<string | null> {
    const scene = await this.#workload.make(this.#random);
    const earlier = this.#workload.earlierLives(this.#random);
    const life = await recordLives(scene, earlier, this.#random, this.#sectors);
    const walk = new Walk(life.recording, life, this.#sectors);
    const { length } = life.recording.steps;
    for (let isLast = false; !isLast; ) {
      if (walk.isAtPoint && walk.at >= life.from && this.#outcomes.size < this.#options.most) {
        const what = await this.#tryPoint(scene, life, walk);
        if (what !== null) return what;
      }
      isLast = walk.at === length;
      if (!isLast) walk.next();
    }
    return null;
  }

  async #tryPoint(scene: Scene, life: LastLife, walk: Walk): Promise<string | null> {
    const { alone, mostOfPoint } = this.#options;
    if (alone !== undefined && alone.point !== walk.at) return null;
    this.#points += 1;
    this.onPoint(life, walk);
    const places = walk.model.places();
    if (choicesAt(places) > mostOfPoint) this.#sampled += 1;
    if (alone !== undefined && !isChoice(places, alone.choice)) {
      this.#at(walk.at, alone.choice);
      return `there is no such choice: ${places.length} outcomes are to be told`;
    }
    const choices =
      alone === undefined ? choicesOf(places, mostOfPoint, this.#drawAt(walk.at)) : [alone.choice];
    for (const choice of choices) {
      if (choice === "killed") continue;
      this.#at(walk.at, choice);
      const what = this.#verdict(walk, await this.#outcomeOf(scene, walk, places, choice));
      if (what !== null) return what;
      if (this.#outcomes.size >= this.#options.most) break;
    }
    const isKilled = alone === undefined ? walk.at % KILLED_PATIENCE === 0 : alone.choice === "killed";
    return isKilled ? this.#tryKill(scene, life, walk) : null;
  }

  #at(point: number, choice: Choice | "killed"): void {
    this.spot = { ...this.spot, point, choice };
  }

  /** Of a generator of its own: what is tried here does not depend on what was tried before. */
  #drawAt(point: number): Random {
    return new Random(seedOf(`${this.#workload.name} ${point}`, this.#options));
  }

  async #outcomeOf(scene: Scene, walk: Walk, places: readonly Place[], choice: Choice): Promise<Outcome> {
    const state = walk.model.state(places, choice);
    const sum = sumOf(state, this.#sectors);
    let outcome = this.#outcomes.get(sum);
    if (outcome === undefined) {
      const recording = recordingOf(imageOf(state, this.#sectors));
      outcome = await this.#recovered(() => recover(scene, recording, state.version, sum % 2 === 0));
      this.#outcomes.set(sum, outcome);
    }
    return outcome;
  }

  /** The process ends, the next one finds all that was written, synced or not; what it finds outlasts the power. */
  async #tryKill(scene: Scene, { recording }: LastLife, walk: Walk): Promise<string | null> {
    this.#at(walk.at, "killed");
    const killed = killedAt(recording, walk.at);
    return this.#verdict(
      walk,
      await this.#recovered(() => recover(scene, killed, walk.model.version, walk.at % 8 === 0)),
    );
  }

  async #recovered(step: () => Promise<Found>): Promise<Outcome> {
    this.#recoveries += 1;
    let found: Found | null = null;
    let wrong = "";
    try {
      found = await step();
    } catch (error) {
      wrong = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
    const text = found === null ? wrong : Object.values(found).join("\n");
    const known = this.#known.get(text) ?? { number: this.#known.size, found, wrong };
    this.#known.set(text, known);
    return known;
  }

  #verdict({ judge, facts }: Walk, { number, found, wrong }: Outcome): string | null {
    if (found === null) return wrong;
    const key = `${number} ${facts.count}`;
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) {
      verdict = judge.verdict(found, facts);
      this.#verdicts.set(key, verdict);
    }
    return verdict;
  }
}

function isChoice(places: readonly Place[], choice: Choice | "killed"): boolean {
  if (choice === "killed") return true;
  return choice.length === places.length && places.every(({ outcomes }, at) => choice[at]! < outcomes);
}

function seedOf(name: string, { seed, variant }: UnitOptions): number {
  let sum = seed;
  for (const letter of `${name} ${variant}`) sum = (sum * 1_000_003 + letter.charCodeAt(0)) % 2 ** 32;
  return sum;
}
