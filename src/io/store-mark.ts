// A file in the store's directory that says how the life before left it, for lmdb ends the whole process when it meets
// certain damage. Rule: it is durable before the store is opened, so that the next start knows of a death meanwhile. A
// second file says whether a scrub reads: it comes to what nobody else has read for long, and there are many steps.
import { type FileHandle, open, readFile, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isIoError, readAgain } from "../base/io-error.js";
import { makeDirectory, syncDirectory } from "./make-directory.js";

/** A process that lives so long after it has opened the store does not die of what it met there. */
const YOUNG_MS = 30_000;
const UNDER_WAY = "1";
const IDLE = "0";
const MARK_NAME = "mark";
const SCRUB_NAME = "scrub";

/** What a file says. Null: there is none. */
type Text = string | typeof UNREADABLE | null;
/** There is one, and the disk cannot read it. */
const UNREADABLE = Symbol("unreadable");

export interface Mark {
  /** `opening`: being opened. `young`: opened not long ago. `condemned`: found damaged. */
  readonly state: "opening" | "young" | "condemned";
  /** How many lives in a row have ended while they were young. */
  readonly deaths: number;
  /** Of a condemned store. */
  readonly reason: string;
}

export class StoreMark {
  readonly #path: string;
  /** As the life before left it; null: in good order. */
  readonly found: Mark | null;
  /** The process before has died in the middle of a step of a scrub, as far as can be told. */
  readonly diedInScrub: boolean;
  /** Files that the disk cannot read: each says then what has the store looked at. */
  readonly unreadable: readonly string[];
  readonly #scrubPath: string;
  /** Open while the store is; what it says, what it is to say, and the writes of that, one at a time. */
  #scrubFile: FileHandle | null;
  #scrubSays: string;
  #scrubWanted: string;
  #saying: Promise<void> | null;
  #isCondemned: boolean;
  #timer: NodeJS.Timeout | null;
  /** One write at a time, in the order of the calls. */
  #written: Promise<void>;

  private constructor(directory: string, mark: Text, scrub: Text) {
    this.#path = join(directory, MARK_NAME);
    this.#scrubPath = join(directory, SCRUB_NAME);
    this.found = markIn(mark);
    this.diedInScrub = scrub === UNREADABLE || scrub === UNDER_WAY;
    const isUnread = (text: Text) => text === UNREADABLE;
    this.unreadable = [...(isUnread(mark) ? [MARK_NAME] : []), ...(isUnread(scrub) ? [SCRUB_NAME] : [])];
    this.#scrubFile = null;
    this.#scrubSays = IDLE;
    this.#scrubWanted = IDLE;
    this.#saying = null;
    this.#isCondemned = false;
    this.#timer = null;
    this.#written = Promise.resolve();
  }

  /** The mark of the store in `directory`, which need not be there. */
  static async read(directory: string): Promise<StoreMark> {
    const mark = await textOf(join(directory, MARK_NAME));
    return new StoreMark(directory, mark, await textOf(join(directory, SCRUB_NAME)));
  }

  /** Makes the directory, unless it is there. Rejects where the disk has no room for the two files. */
  async opening(): Promise<void> {
    await makeDirectory(dirname(this.#path));
    await this.#write({ state: "opening", deaths: this.found?.deaths ?? 0, reason: "" });
    // Ahead of the first scrub, which then needs no room: it finds the byte that it changes.
    this.#scrubFile = await open(this.#scrubPath, "w", 0o600);
    try {
      await this.#scrubFile.write(IDLE, 0);
    } catch (error) {
      await this.#closeScrubFile();
      throw error;
    }
  }

  /**
   * A step of a scrub begins, or has ended. Not synced: it is for a death of the process, not of the machine. Nor
   * waited for: beside syncs a file system may take long for it, and the replica would stand still.
   */
  risks(isUnderWay: boolean): void {
    this.#scrubWanted = isUnderWay ? UNDER_WAY : IDLE;
    this.#saying ??= this.#say();
  }

  async #say(): Promise<void> {
    try {
      while (this.#scrubFile !== null && this.#scrubSays !== this.#scrubWanted) {
        const text = this.#scrubWanted;
        await this.#scrubFile.write(text, 0);
        this.#scrubSays = text;
      }
    } catch {
      // It is advice: without it the next start looks at the store in vain, or not. The replica does not end for that.
    }
    this.#saying = null;
  }

  /** The store is open. */
  async opened(): Promise<void> {
    await this.#write({ state: "young", deaths: (this.found?.deaths ?? 0) + 1, reason: "" });
    this.#timer = setTimeout(() => {
      this.#timer = null;
      // When it cannot be removed the next start checks the store in vain.
      this.clear().catch(() => {});
    }, YOUNG_MS);
    this.#timer.unref();
  }

  /** The store is damaged: the next start sets it aside. */
  async condemn(reason: string): Promise<void> {
    this.#stopTimer();
    this.#isCondemned = true;
    await this.#write({ state: "condemned", deaths: 0, reason });
  }

  /** The store is closed, in whatever state this process leaves it. */
  async closed(): Promise<void> {
    this.#stopTimer();
    await this.#closeScrubFile();
    if (!this.#isCondemned) await this.clear();
  }

  /** As the life before left it: nothing was done about it. */
  async restore(): Promise<void> {
    this.#stopTimer();
    if (this.found === null) await this.clear();
    else await this.#write(this.found);
  }

  /** There is nothing to say of the store. */
  clear(): Promise<void> {
    return this.#inOrder(async () => {
      await unlink(this.#path).catch(unlessMissing);
      await syncDirectory(dirname(this.#path));
    });
  }

  async #closeScrubFile(): Promise<void> {
    await this.#saying;
    await this.#scrubFile?.close();
    this.#scrubFile = null;
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #write(mark: Mark): Promise<void> {
    return this.#inOrder(async () => {
      const draft = `${this.#path}.new`;
      const file = await open(draft, "w", 0o600);
      try {
        await file.writeFile(`${JSON.stringify(mark)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.#path);
      await syncDirectory(dirname(this.#path));
    });
  }

  #inOrder(action: () => Promise<void>): Promise<void> {
    const done = this.#written.then(action);
    this.#written = done.catch(() => {});
    return done;
  }
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

async function textOf(path: string): Promise<Text> {
  try {
    return await readAgain(() => readFile(path, "utf8"));
  } catch (error) {
    if (isIoError(error)) return UNREADABLE;
    unlessMissing(error as NodeJS.ErrnoException);
    return null;
  }
}

/** One that cannot be read says that something was begun and not ended. */
function markIn(text: Text): Mark | null {
  if (text === null) return null;
  const unreadable: Mark = { state: "opening", deaths: 0, reason: "" };
  if (text === UNREADABLE) return unreadable;
  try {
    const { state, deaths, reason } = JSON.parse(text) as Partial<Mark>;
    const isKnown = state === "opening" || state === "young" || state === "condemned";
    return isKnown ? { state, deaths: Number(deaths) || 0, reason: String(reason) } : unreadable;
  } catch {
    return unreadable;
  }
}
