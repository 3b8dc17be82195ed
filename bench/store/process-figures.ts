// What Linux tells of a process and of its files: memory, anonymous and file-backed apart, and bytes written.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Bytes. */
export interface Memory {
  readonly anonymous: number;
  /** Pages of mapped files: the kernel takes them back when it needs room. */
  readonly file: number;
  /** The most that both together ever were in this process. */
  readonly highest: number;
}

export function memoryOf(status: string): Memory {
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN);
  return {
    anonymous: kilobytes("RssAnon") * 1024,
    file: (kilobytes("RssFile") + kilobytes("RssShmem")) * 1024,
    highest: kilobytes("VmHWM") * 1024,
  };
}

export async function readMemory(pid: number): Promise<Memory> {
  return memoryOf(await readFile(`/proc/${pid}/status`, "utf8"));
}

const SECTOR = 512;

/**
 * Bytes that the disk under a folder was written since the system began, by whomever; NaN: the system does not tell.
 * /proc/PID/io is of no use: newer kernels count a whole folio there, up to 2 MiB, for each write of a sector to it.
 */
export async function readDiskWritten(folder: string): Promise<number> {
  const { dev } = await stat(folder);
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  const text = await readFile(`/sys/dev/block/${major}:${minor}/stat`, "utf8").catch(() => "");
  return Number(text.trim().split(/\s+/)[6] ?? Number.NaN) * SECTOR;
}

/** Bytes that files of a folder take up on the disk, by the name that they lie under in it. */
export async function diskBytes(folder: string): Promise<Map<string, number>> {
  const bytes = new Map<string, number>();
  for (const name of await readdir(folder, { recursive: true })) {
    const { blocks } = await stat(join(folder, name));
    const top = name.split("/")[0]!;
    bytes.set(top, (bytes.get(top) ?? 0) + blocks * SECTOR);
  }
  return bytes;
}

const SAMPLE_MS = 100;

/** The most memory of either kind that any of several processes had, looked at ten times a second. */
export class MemoryWatch {
  readonly #pids: () => readonly number[];
  readonly #timer: NodeJS.Timeout;
  anonymous: number;
  file: number;
  both: number;

  constructor(pids: () => readonly number[]) {
    this.#pids = pids;
    this.anonymous = 0;
    this.file = 0;
    this.both = 0;
    this.#timer = setInterval(() => void this.#look(), SAMPLE_MS);
  }

  async #look(): Promise<void> {
    for (const pid of this.#pids()) {
      // It may have ended meanwhile.
      const memory = await readMemory(pid).catch(() => null);
      if (memory === null || Number.isNaN(memory.anonymous)) continue;
      this.anonymous = Math.max(this.anonymous, memory.anonymous);
      this.file = Math.max(this.file, memory.file);
      this.both = Math.max(this.both, memory.anonymous + memory.file);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
