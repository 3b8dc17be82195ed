// A disk in memory that notes every step in a recording. All of it happens at once or in the next microtask, so that
// the same workload makes the same recording.
import type { Disk, DiskFile } from "../../src/wal/disk.js";
import type { Fact } from "./fact.js";
import type { Recording, Step } from "./recording.js";

/** A file as it is read; the bytes of the image are copied before the first write. */
interface Content {
  readonly file: number;
  bytes: Uint8Array;
  length: number;
  isOwn: boolean;
}

export class RecordingDisk implements Disk {
  readonly recording: Recording;
  readonly #names: Map<string, Content>;
  readonly #files: Content[];

  /** Goes on where the recording ends. */
  constructor(recording: Recording) {
    this.recording = recording;
    this.#names = new Map();
    this.#files = [];
    for (const [name, bytes] of recording.image) {
      const content = { file: this.#files.length, bytes, length: bytes.length, isOwn: false };
      this.#files.push(content);
      this.#names.set(name, content);
    }
    for (const step of recording.steps) this.#apply(step);
  }

  #apply(step: Step): void {
    if (step.kind === "create") {
      const content = { file: step.file, bytes: new Uint8Array(0), length: 0, isOwn: true };
      this.#files[step.file] = content;
      this.#names.set(step.name, content);
    } else if (step.kind === "rename") {
      this.#names.delete(step.from);
      this.#names.set(step.to, this.#files[step.file]!);
    } else if (step.kind === "remove") {
      this.#names.delete(step.name);
    } else if (step.kind === "write") {
      write(this.#files[step.file]!, step.position, step.bytes);
    }
  }

  #take(step: Step): void {
    this.recording.steps.push(step);
    this.#apply(step);
  }

  tell(fact: Fact): void {
    this.#take({ kind: "told", fact });
  }

  /** To be called before a store takes something up; what it returns, with the version that it then has. */
  storing(): (version: number) => void {
    const step: Step = { kind: "storing", version: null };
    this.#take(step);
    return (version) => {
      step.version = version;
      this.#take({ kind: "stored", version });
    };
  }

  #content(name: string): Content {
    const content = this.#names.get(name);
    if (content === undefined) throw new Error(`${name}: no such file`);
    return content;
  }

  async list(): Promise<string[]> {
    return [...this.#names.keys()].sort();
  }

  async read(name: string): Promise<Uint8Array> {
    const { bytes, length } = this.#content(name);
    return bytes.slice(0, length);
  }

  async open(name: string, create: boolean): Promise<DiskFile> {
    if (create) {
      if (this.#names.has(name)) throw new Error(`${name}: file exists`);
      this.#take({ kind: "create", name, file: this.#files.length });
    }
    return this.#opened(name, this.#content(name));
  }

  #opened(name: string, content: Content): DiskFile {
    const { file } = content;
    return {
      name,
      size: async () => content.length,
      read: async (position, length) =>
        content.bytes.slice(position, Math.max(position, Math.min(position + length, content.length))),
      write: (position, bytes, done) => {
        this.#take({ kind: "write", file, position, bytes: bytes.slice() });
        queueMicrotask(() => done(null));
      },
      sync: (done) => {
        const begun = this.recording.steps.length;
        queueMicrotask(() => {
          this.#take({ kind: "synced", file, begun });
          done(null);
        });
      },
      close: async () => {},
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#take({ kind: "rename", from, to, file: this.#content(from).file });
  }

  async remove(name: string): Promise<void> {
    this.#take({ kind: "remove", name, file: this.#content(name).file });
  }

  async syncDirectory(): Promise<void> {
    const begun = this.recording.steps.length;
    await Promise.resolve();
    this.#take({ kind: "directory synced", begun });
  }
}

function write(content: Content, position: number, bytes: Uint8Array): void {
  const end = position + bytes.length;
  if (!content.isOwn || end > content.bytes.length) {
    const grown = new Uint8Array(Math.max(content.bytes.length, end));
    grown.set(content.bytes.subarray(0, content.length));
    content.bytes = grown;
    content.isOwn = true;
  }
  content.bytes.set(bytes, position);
  content.length = Math.max(content.length, end);
}
