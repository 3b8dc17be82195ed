// Records the lives of a variant, one after the other: each begins with what a drawn end of the one before has left, be
// it a failure of power or a kill, after which what was written is still to be synced.
import type { Random } from "../../src/base/random.js";
import { imageOf } from "./disk-model.js";
import { settle } from "./life.js";
import { drawChoice } from "./places.js";
import { killedAt, type Recording, recordingOf } from "./recording.js";
import { RecordingDisk } from "./recording-disk.js";
import type { Scene } from "./scene.js";
import type { Sectors } from "./sectors.js";
import { Walk, type WalkBeginning } from "./walk.js";

/** The last life, and what was true before the recording. */
export interface LastLife extends WalkBeginning {
  readonly recording: Recording;
  /** Its first step: what is before it was of a life that was killed. */
  readonly from: number;
}

/** Turns of the process without a step, until a life is taken to wait for something that never comes. */
const STILL_TURNS = 500;

async function toItsEnd({ steps }: Recording, life: Promise<void>): Promise<void> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  life.then(over, over);
  let seen = -1;
  for (let still = 0; !isOver; still += 1) {
    if (still > STILL_TURNS) throw new Error(`the workload stands still after step ${steps.length}`);
    if (seen !== steps.length) still = 0;
    seen = steps.length;
    await settle();
  }
  await life;
}

/** Of the step after which a life ends; null: of any. */
const ENDS = ["rename", "write", null] as const;

/** Often right after a rename or a write: what is not durable yet is what a killed life leaves the next to trust. */
function endOf({ steps }: Recording, from: number, random: Random): number {
  const kind = ENDS[random.below(ENDS.length)];
  const ends = steps.flatMap((step, at) => (step.kind === kind && at >= from ? [at + 1] : []));
  if (ends.length > 0) return ends[random.below(ends.length)]!;
  return from + random.below(steps.length - from + 1);
}

/** Throws what a start throws that does not go well. */
export async function recordLives(
  scene: Scene,
  earlier: number,
  random: Random,
  sectors: Sectors,
): Promise<LastLife> {
  const { beginning, stateAfter } = scene;
  let life: LastLife = { ...beginning, stateAfter, recording: recordingOf(beginning.image), from: 0 };
  let version = beginning.version;
  for (let count = 0; count <= earlier; count += 1) {
    const { recording, from } = life;
    await toItsEnd(recording, scene.live(new RecordingDisk(recording), version));
    if (count === earlier) break;
    const at = endOf(recording, from, random);
    const walk = new Walk(recording, life, sectors);
    while (walk.at < at) walk.next();
    const places = walk.model.places();
    if (random.below(3) === 0) {
      version = walk.model.version;
      life = { ...life, recording: killedAt(recording, at), from: at };
    } else {
      const state = walk.model.state(places, drawChoice(places, random));
      version = state.version;
      const image = recordingOf(imageOf(state, sectors));
      life = { stateAfter, facts: walk.facts.copy(), version, recording: image, from: 0 };
    }
  }
  return life;
}
