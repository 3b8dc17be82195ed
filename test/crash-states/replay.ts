// One state again, with what led to it: the steps of the disk, what was told between them, and what chance decided.
import type { Place } from "./places.js";
import type { Recording, Step } from "./recording.js";
import { type Spot, spotText } from "./spot.js";
import { Unit } from "./unit.js";
import { workloadNamed } from "./workloads.js";

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** The exit status. */
export async function replay(seed: number, spot: Spot): Promise<number> {
  const { workload, variant } = spot;
  const options = { seed, variant, mostOfPoint: NO_LIMIT, most: NO_LIMIT, alone: spot };
  const unit = new Unit(workloadNamed(workload)!, options);
  unit.onPoint = ({ recording }, { at, model }) => {
    for (const line of stepLines(recording, at)) console.log(line);
    if (spot.choice === "killed")
      console.log("the process ends, and the power when the next one has started");
    else for (const line of choiceLines(model.places(), spot.choice, namesOf(recording))) console.log(line);
  };
  const { failure, recoveries } = await unit.run();
  if (failure === null && recoveries === 0) {
    console.log(`${spotText(spot)}: there is no such point with seed ${seed}`);
    return 1;
  }
  console.log(`${spotText(spot)}: ${failure?.what ?? "recovers well"}`);
  console.log(failure === null ? "1 passed, 0 failed" : "0 passed, 1 failed");
  return failure === null ? 0 : 1;
}

/** The name under which each file began. */
function namesOf({ image, steps }: Recording): string[] {
  const names = [...image.keys()];
  for (const step of steps) if (step.kind === "create") names[step.file] = step.name;
  return names;
}

function stepLines(recording: Recording, upTo: number): string[] {
  const names = namesOf(recording);
  return recording.steps
    .slice(0, upTo)
    .map((step, at) => `${String(at).padStart(5)}  ${describe(step, names)}`);
}

function describe(step: Step, names: readonly string[]): string {
  switch (step.kind) {
    case "create":
    case "remove":
      return `${step.kind} ${step.name}`;
    case "rename":
      return `rename ${step.from} ${step.to}`;
    case "write":
      return `write ${names[step.file]} at ${step.position}, ${step.bytes.length} bytes`;
    case "synced":
      return `synced ${names[step.file]}, as of ${step.begun}`;
    case "directory synced":
      return `directory synced, as of ${step.begun}`;
    case "storing":
      return "the store takes something up";
    case "stored":
      return `the store has version ${step.version}`;
    case "told":
      return `- ${describeFact(step.fact)}`;
  }
}

function describeFact(fact: object): string {
  const text = JSON.stringify(fact, (key, value) => {
    if (key === "kind" && value === (fact as { kind?: unknown }).kind) return undefined;
    return value instanceof Uint8Array ? `${value.length} bytes` : value;
  });
  return `${(fact as { kind: string }).kind} ${text}`;
}

function choiceLines(
  places: readonly Place[],
  choice: readonly number[],
  names: readonly string[],
): string[] {
  return places.map((place, at) => {
    const what = `outcome ${choice[at]} of 0-${place.outcomes - 1}`;
    if (place.kind === "name") return `unsynced name ${place.step}: ${what}`;
    if (place.kind === "store") return `store: ${what}`;
    if (place.kind === "length") return `length of ${names[place.file]}: ${what}`;
    return `sector ${place.sector} of ${names[place.file]}: ${what}`;
  });
}
