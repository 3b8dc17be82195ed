// Before a campaign: does the disk lose what it should, and keep what it must? A small program writes, syncs and kills
// itself; what it synced must be there after every power loss, and what it did not must be lost in some, and in part.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../src/base/random.js";
import { losePower, settledJournal } from "./crash-image.js";
import { watchedEnvironment, watchedIn } from "./lossy-disk.js";

const ROUNDS = 10;
/** Where there is one outcome only. */
const FEW_ROUNDS = 3;
const SECTOR = 512;
const SECTORS = 8;

const HEAD = `
const fs = require("node:fs"), path = require("node:path");
const base = process.env.LOSSY_DISK_ROOT;
const sync = (directory) => { const d = fs.openSync(directory, "r"); fs.fsyncSync(d); fs.closeSync(d); };
const fill = (byte) => Buffer.alloc(${SECTORS * SECTOR}, byte);
const write = (f, byte) => fs.writeSync(f, fill(byte), 0, undefined, 0);
`;

/** Each program is run in a directory of its own, in a block: with the names declared here. */
function block(number: number, program: string): string {
  return `{
    const root = path.join(base, "${number}"), at = (name) => path.join(root, name), syncRoot = () => sync(root);
    fs.mkdirSync(root, { recursive: true }); sync(base);
    const make = (name, byte) => { const f = fs.openSync(at(name), "wx+"); write(f, byte); return f; };
    ${program}
  }`;
}

/** What was seen over all rounds, in words; each of `must` has to be there, none else may. */
interface Case {
  readonly name: string;
  readonly program: string;
  readonly faults?: readonly string[];
  /** How often it runs before the power fails. */
  readonly lives?: number;
  readonly see: (read: (name: string) => Buffer | null) => string;
  readonly must: readonly string[];
}

/** Of a file of one byte and another: `old`, `new`, `both`, `other length`, `none`. */
function contents(bytes: Buffer | null): string {
  if (bytes === null) return "none";
  if (bytes.length !== SECTORS * SECTOR) return "other length";
  const sectors = Array.from({ length: SECTORS }, (_, i) => bytes.subarray(i * SECTOR, (i + 1) * SECTOR));
  if (!sectors.every((sector) => sector.every((byte) => byte === sector[0]))) return "torn in a sector";
  const kinds = new Set(sectors.map((sector) => sector[0]));
  if (kinds.size > 1) return "both";
  return kinds.has(1) ? "old" : kinds.has(2) ? "new" : "zeros";
}

const OVERWRITE = `const f = make("f", 1); fs.fdatasyncSync(f); syncRoot(); write(f, 2);`;

/** Each line throws where the disk does other than it should. */
const BAD_SECTORS = `const f = make("f", 1); const got = Buffer.alloc(${SECTORS * SECTOR});
  const table = fs.openSync(process.env.LOSSY_DISK_BAD, "r+");
  const spoil = (sector) => {
    const entry = Buffer.from(BigUint64Array.of(BigInt(fs.fstatSync(f).ino), BigInt(sector)).buffer);
    fs.writeSync(table, entry, 0, undefined, 0); mustFail(readsAt(sector * ${SECTOR}, 1));
  };
  const must = (count, at) => {
    const n = fs.readSync(f, got, 0, got.length, at);
    if (n !== count) throw new Error(n + " bytes were read");
  };
  const mustFail = (read) => {
    try { read(); } catch (e) { if (e.code === "EIO") return; throw e; }
    throw new Error("it must fail: " + read);
  };
  const readsAt = (at, length) => () => fs.readSync(f, got, 0, length, at);
  spoil(2); must(${2 * SECTOR}, 0); must(${(SECTORS - 3) * SECTOR}, ${3 * SECTOR});
  mustFail(readsAt(${2 * SECTOR}, got.length)); mustFail(readsAt(${3 * SECTOR - 1}, 1));
  mustFail(() => fs.readFileSync(at("f"))); mustFail(() => fs.readvSync(f, [got, got], ${2 * SECTOR}));
  fs.writeSync(f, got, 0, ${SECTOR - 1}, ${2 * SECTOR}); mustFail(readsAt(${2 * SECTOR}, 1));
  fs.writeSync(f, got, 0, ${SECTOR}, ${2 * SECTOR}); must(got.length, 0);
  spoil(${SECTORS - 1}); fs.ftruncateSync(f, ${(SECTORS - 1) * SECTOR});
  fs.ftruncateSync(f, got.length); must(got.length, 0);
  spoil(0); fs.closeSync(fs.openSync(at("f"), "w"));
  fs.ftruncateSync(f, got.length); must(got.length, 0);
  write(f, 2); fs.fsyncSync(f); syncRoot();`;

const CASES: readonly Case[] = [
  {
    name: "what was synced is there",
    program: `${OVERWRITE} fs.fdatasyncSync(f);`,
    see: (read) => contents(read("f")),
    must: ["new"],
  },
  {
    name: "what was not is there, or is not, or in part",
    program: `${OVERWRITE}`,
    see: (read) => contents(read("f")),
    must: ["old", "new", "both"],
  },
  {
    name: "a life that ended without a power loss has made nothing durable",
    program: `if (!fs.existsSync(at("f"))) { ${OVERWRITE} }`,
    lives: 2,
    see: (read) => contents(read("f")),
    must: ["old", "new", "both"],
  },
  {
    name: "a sync that failed has made nothing durable, nor does the next",
    program: `const f = make("f", 1); fs.fsyncSync(f); syncRoot(); write(f, 2);
      try { fs.fdatasyncSync(f); throw new Error("it must fail"); } catch (e) { if (e.code !== "EIO") throw e; }
      fs.fdatasyncSync(f);`,
    faults: ["sync-eio:2"],
    see: (read) => contents(read("f")),
    must: ["old", "new", "both"],
  },
  {
    name: "what was written anew after a sync that failed is there",
    program: `const f = make("f", 1); syncRoot(); try { fs.fdatasyncSync(f); } catch {}
      write(f, 2); fs.fdatasyncSync(f);`,
    faults: ["sync-eio:1"],
    see: (read) => contents(read("f")),
    must: ["new"],
  },
  {
    name: "a file that is new may be gone until its directory is synced",
    program: `const f = make("f", 2); fs.fdatasyncSync(f);`,
    see: (read) => contents(read("f")),
    must: ["none", "new"],
  },
  {
    name: "a rename may be undone until its directory is synced, and never by half",
    program: `const f = make("f", 1); const g = make("g", 2); fs.fsyncSync(f); fs.fsyncSync(g); syncRoot();
      fs.renameSync(at("g"), at("f"));`,
    see: (read) => `${contents(read("f"))}, ${contents(read("g"))}`,
    must: ["old, new", "new, none"],
  },
  {
    name: "a removal may be undone until its directory is synced",
    program: `const f = make("f", 1); fs.fsyncSync(f); syncRoot(); fs.unlinkSync(at("f"));`,
    see: (read) => contents(read("f")),
    must: ["old", "none"],
  },
  {
    name: "a synced directory keeps creations, renames and removals",
    program: `const f = make("f", 1); const g = make("g", 2); const h = make("h", 1); fs.fsyncSync(g);
      fs.renameSync(at("g"), at("f")); fs.unlinkSync(at("h")); syncRoot();`,
    see: (read) => `${contents(read("f"))}, ${contents(read("g"))}, ${contents(read("h"))}`,
    must: ["new, none, none"],
  },
  {
    name: "each write through a descriptor with O_DSYNC is there, the others are not",
    program: `${OVERWRITE} const d = fs.openSync(at("f"), fs.constants.O_WRONLY | fs.constants.O_DSYNC);
      fs.writeSync(d, Buffer.alloc(${SECTOR}, 3), 0, undefined, 0);`,
    see: (read) => (read("f")![0] === 3 ? contents(read("f")!.subarray(SECTOR)) : "lost"),
    must: ["other length"],
  },
  {
    name: "a short write is short, and there is no space once",
    program: `const f = fs.openSync(path.join(base, "f"), "wx+"); let told = "";
      try { write(f, 1); } catch (e) { told = e.code; }
      write(f, 2); fs.fsyncSync(f); sync(base);
      const journal = fs.readFileSync(process.env.LOSSY_DISK_JOURNAL, "latin1");
      if (told !== "ENOSPC" || !journal.includes("short-write f")) throw new Error(told + " was told");`,
    faults: ["write-enospc:1", "short-write:1"],
    see: (read) => contents(read("../f")),
    must: ["new"],
  },
  {
    name: "a bad sector fails the reads that come to it, until it is written anew",
    program: BAD_SECTORS,
    see: (read) => contents(read("f")),
    must: ["new"],
  },
];

/** What is wrong, in sentences; none: the disk does as it should. */
export async function checkDisk(folder: string, library: string): Promise<string[]> {
  const together = CASES.filter(({ faults, lives }) => faults === undefined && lives === undefined);
  const groups = [together, ...CASES.filter((each) => !together.includes(each)).map((each) => [each])];
  const wrong: string[] = [];
  const work = async (): Promise<void> => {
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      wrong.push(...(await checkGroup(group, folder, library)));
    }
  };
  await Promise.all([work(), work()]);
  return wrong;
}

/** One process runs all of a group, and then kills itself. */
async function checkGroup(group: readonly Case[], folder: string, library: string): Promise<string[]> {
  const { lives = 1, faults = [] } = group[0]!;
  const blocks = group.map(({ program }, number) => block(number, program));
  const program = `${HEAD}${blocks.join("\n")}\nprocess.kill(process.pid, "SIGKILL");`;
  // Chance is always the same here: what is seen once is always seen.
  const random = new Random(1);
  const seen = group.map(() => new Set<string>());
  const rounds = group.some(({ must }) => must.length > 1) ? ROUNDS : FEW_ROUNDS;
  for (let round = 0; round < rounds; round += 1) {
    const place = mkdtempSync(join(folder, "disk-check-"));
    const watched = watchedIn(place, "data");
    mkdirSync(watched.root);
    for (let life = 0; life < lives; life += 1) {
      const failure = await run(program, watchedEnvironment(library, watched, faults));
      if (failure !== null) return [`the program failed: ${failure}`];
      settledJournal(watched);
    }
    losePower(watched, random);
    for (const [number, { see }] of group.entries()) {
      seen[number]!.add(see((file) => readIfThere(join(watched.root, String(number), file))));
    }
    rmSync(place, { recursive: true });
  }
  return group.flatMap((each, number) => judged(each, seen[number]!));
}

function judged({ name, must }: Case, seen: ReadonlySet<string>): string[] {
  const missing = must.filter((one) => !seen.has(one)).map((one) => `never ${one}`);
  const extra = [...seen].filter((one) => !must.includes(one));
  const wrong = [...missing, ...extra];
  return wrong.length === 0 ? [] : [`${name}: after a few power losses ${wrong.join(", ")}`];
}

function readIfThere(path: string): Buffer | null {
  return existsSync(path) ? readFileSync(path) : null;
}

/** Null when it killed itself, as it should. */
async function run(program: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  const child = spawn(process.execPath, ["-e", program], { env, stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, "close");
  return child.signalCode === "SIGKILL" ? null : output;
}
