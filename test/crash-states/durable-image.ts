// What is there for sure at the end of a recording, whatever chance decides; without a model of all that may be.
import { happened, type NameStep } from "./disk-model.js";
import type { Image, Recording, Step } from "./recording.js";

type Write = Extract<Step, { kind: "write" }>;

interface Pending<S> {
  readonly at: number;
  readonly step: S;
}

export function durableImage({ image, steps }: Recording): Image {
  const names = new Map<string, number>();
  const files: Uint8Array[] = [];
  for (const [name, bytes] of image) {
    names.set(name, files.length);
    files.push(bytes);
  }
  let renamed: Pending<NameStep>[] = [];
  let written: Pending<Write>[] = [];
  for (const [at, step] of steps.entries()) {
    if (step.kind === "create" || step.kind === "rename" || step.kind === "remove") {
      if (step.kind === "create") files[step.file] = new Uint8Array(0);
      renamed.push({ at, step });
    } else if (step.kind === "write") {
      written.push({ at, step });
    } else if (step.kind === "synced") {
      const isCovered = (one: Pending<Write>) => one.step.file === step.file && one.at < step.begun;
      files[step.file] = withWrites(files[step.file]!, written.filter(isCovered));
      written = written.filter((one) => !isCovered(one));
    } else if (step.kind === "directory synced") {
      for (const one of renamed) if (one.at < step.begun) happened(names, one.step);
      renamed = renamed.filter((one) => one.at >= step.begun);
    }
  }
  return new Map([...names].sort().map(([name, file]) => [name, files[file]!]));
}

function withWrites(bytes: Uint8Array, writes: readonly Pending<Write>[]): Uint8Array {
  const ends = writes.map(({ step }) => step.position + step.bytes.length);
  const written = new Uint8Array(Math.max(bytes.length, ...ends));
  written.set(bytes);
  for (const { step } of writes) written.set(step.bytes, step.position);
  return written;
}
