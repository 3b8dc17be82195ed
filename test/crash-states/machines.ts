// The machines of the workloads: one that is volatile, whose state tells every command that led to it, and the KV store
// over a store in memory, every version of which is kept.
import { EMPTY_DIGEST, mixBytes, mixNumber } from "../../src/base/digest.js";
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import type { RecordBatch, RecordStore, RevisionKey } from "../../src/kv/record-store.js";
import type { StateMachine } from "../../src/machine/machine.js";
import type { RecordingDisk } from "./recording-disk.js";
import type { MachineOfTest } from "./replica-life.js";

/** So that a snapshot is several sectors long. */
const PADDING = 900;

/** Counts commands, and mixes them with their slots. */
export function volatileMachine(): MachineOfTest {
  let count = 0;
  let digest = EMPTY_DIGEST;
  const describe = () => `${count} ${digest.toString(16)}`;
  const machine: StateMachine<Uint8Array, null, null, string> = {
    encode: (command) => command,
    decode: (bytes) => bytes,
    apply(command, slot) {
      count += 1;
      digest = mixBytes(mixNumber(digest, slot), command);
      return null;
    },
    query: describe,
    // Frozen at the call, not when it is read.
    snapshot: () => oneChunk(describe().padEnd(PADDING + (digest % 600), ".")),
    async restore(chunks) {
      let text = "";
      for await (const chunk of chunks) text += Buffer.from(chunk).toString("latin1");
      const [counted = "", mixed = ""] = text.replace(/\.+$/, "").split(" ");
      count = Number(counted);
      digest = Number.parseInt(mixed, 16);
    },
  };
  return { machine: machine as MachineOfTest["machine"], describe: async () => describe() };
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text, "latin1");
}

/** Versions of the medium of a store, by their numbers: 0 is the fresh one. */
export class Media {
  readonly #versions: MemoryMedium[] = [new MemoryMedium()];

  /** A medium of its own. */
  get(version: number): MemoryMedium {
    return copyOf(this.#versions[version]!);
  }

  add(medium: MemoryMedium): number {
    this.#versions.push(copyOf(medium));
    return this.#versions.length - 1;
  }
}

export function copyOf(medium: MemoryMedium): MemoryMedium {
  const copy = new MemoryMedium();
  for (const { main, sub, sealed } of medium.records.rows) {
    if (sealed !== undefined) copy.records.append({ main, sub, sealed });
  }
  copy.head = medium.head;
  copy.chunks = new Map(medium.chunks);
  return copy;
}

/** Every version of its medium is kept, and the recording of the disk beside it knows when it was there. */
export class RecordedStore extends MemoryRecordStore {
  readonly #medium: MemoryMedium;
  readonly #media: Media;
  readonly #disk: RecordingDisk;

  constructor(medium: MemoryMedium, media: Media, disk: RecordingDisk) {
    super(medium);
    this.#medium = medium;
    this.#media = media;
    this.#disk = disk;
  }

  override async commit(batch: RecordBatch): Promise<void> {
    const stored = this.#disk.storing();
    await super.commit(batch);
    stored(this.#media.add(this.#medium));
  }

  override async remove(revisions: readonly RevisionKey[]): Promise<void> {
    const stored = this.#disk.storing();
    await super.remove(revisions);
    stored(this.#media.add(this.#medium));
  }
}

/** Checkpoints of the index in several chunks, over several commits, every few records. */
const PACE = { records: 6, keys: 2, keysPerRecord: 1, chunkKeys: 2 };

export async function kvMachine(store: RecordStore): Promise<MachineOfTest> {
  const machine = await KvMachine.open(store, PACE);
  return {
    machine: machine as unknown as MachineOfTest["machine"],
    async describe() {
      const answer = await machine.query({ kind: "hash" });
      return answer.kind === "hash" ? `revision ${answer.revision} ${answer.hash}` : answer.kind;
    },
  };
}
