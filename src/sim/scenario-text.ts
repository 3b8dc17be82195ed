// Schedules as text, to be kept, read and changed by people: a header, then a line for each fault and each operation.
// Rule: what is written is read back the same, so that a scenario made from a seed is the run of that seed.
import { ALL_FAULTS, faultNamed } from "./all-faults.js";
import { parseRequestText, RequestTextError, requestText } from "./request-text.js";
import type { FaultLine, OperationLine, Schedule } from "./schedule.js";

export interface Scenario {
  readonly schedule: Schedule;
  /** What broke when it was written; null: nothing. */
  readonly breaks: string | null;
}

/** The caller's error: a line of the text is not of a scenario. */
export class ScenarioFormatError extends Error {
  override readonly name = "ScenarioFormatError";
  readonly code = "scenario-format";
  /** Counted from 1; 0: of the whole. */
  readonly line: number;

  constructor(line: number, problem: string) {
    super(line === 0 ? problem : `line ${line}: ${problem}`);
    this.line = line;
  }
}

const NOTHING = "nothing";
const NEVER = "never";
const LONGEST_MS = 3_600_000;
const MOST_REPLICAS = 9;
const MOST_CLIENTS = 100;

interface Setting<Value> {
  readonly word: string;
  text(value: Value): string;
  /** Null: it is none. */
  parse(text: string): Value | null;
  readonly is: string;
}

type Header = Omit<Schedule, "faults" | "operations">;

const seconds: Pick<Setting<number>, "text" | "parse" | "is"> = {
  text: (ms) => `${(ms / 1000).toFixed(3)} s`,
  parse: (text) => msOf(/^(\d+\.\d{3}) s$/.exec(text)?.[1]),
  is: "a time of up to an hour such as 61.000 s",
};

/** A record, so that a new setting of a schedule does not compile without its line. */
const SETTINGS: { readonly [Name in keyof Header]: Setting<Header[Name]> } = {
  seed: { word: "seed", text: String, parse: wholeOf, is: "a whole number" },
  replicas: {
    word: "replicas",
    text: String,
    parse: (text) => within(wholeOf(text), 1, MOST_REPLICAS),
    is: `a number from 1 to ${MOST_REPLICAS}`,
  },
  damageable: {
    word: "damages",
    text: (ids) => (ids.length === 0 ? NOTHING : ids.join(" ")),
    parse: (text) => (text === NOTHING ? [] : listOf(text)),
    is: `ids of replicas with blanks between, or ${NOTHING}`,
  },
  end: { word: "ends", ...seconds },
  goesOn: { word: "goes-on", ...seconds },
  healing: {
    word: "heals",
    text: (seed) => (seed === null ? NEVER : `seed ${seed}`),
    parse: (text) => (text === NEVER ? null : wholeOf(/^seed (\d+)$/.exec(text)?.[1] ?? "")),
    is: `a seed such as seed 7, or ${NEVER}`,
  },
};
const NAMES = Object.keys(SETTINGS) as (keyof Header)[];
/** Its value may be null, which else says that there is none. */
const isSetting = (name: keyof Header, text: string) => name === "healing" && text === NEVER;

function wholeOf(text: string): number | null {
  const number = Number(text);
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(number) ? number : null;
}

function within(number: number | null, least: number, most: number): number | null {
  return number === null || number < least || number > most ? null : number;
}

/** Of seconds with three decimals. */
function msOf(text: string | undefined): number | null {
  return text === undefined ? null : within(Math.round(Number(text) * 1000), 0, LONGEST_MS);
}

function listOf(text: string): number[] | null {
  const ids = text.split(/ +/).map(wholeOf);
  return ids.every((id) => id !== null && id > 0) ? (ids as number[]) : null;
}

export function scenarioText({ schedule, breaks }: Scenario): string {
  const setting = <Name extends keyof Header>(name: Name): string => {
    const { word, text } = SETTINGS[name];
    return `${word.padEnd(9)} ${text(schedule[name])}`;
  };
  const lines = [
    ...schedule.faults.map((line) => ({ at: line.at, text: faultText(line) })),
    ...schedule.operations.map((line) => ({ at: line.at, text: operationText(line) })),
  ].sort((a, b) => a.at - b.at);
  const time = (ms: number) => seconds.text(ms).padStart(10);
  return `${[
    "# Replay it: npm run sim -- --scenario FILE, with --trace for a line for every event.",
    `breaks    ${breaks === null ? NOTHING : breaks.replace(/\s+/g, " ")}`,
    ...NAMES.map(setting),
    "",
    ...lines.map(({ at, text }) => `${time(at)}  ${text}`),
  ].join("\n")}\n`;
}

function faultText({ fault, duration, seed }: FaultLine): string {
  return `${fault}  ${duration} ms  seed ${seed}`;
}

function operationText({ client, replica, request }: OperationLine): string {
  return `client ${client} at ${replica}: ${requestText(request)}`;
}

/** Empty lines, and lines that begin with #, are skipped. Throws `ScenarioFormatError`. */
export function parseScenario(text: string): Scenario {
  const found = new Map<string, { readonly value: unknown; readonly line: number }>();
  const faults: FaultLine[] = [];
  const operations: OperationLine[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    const number = index + 1;
    if (line === "" || line.startsWith("#")) continue;
    const timed = /^(\d+\.\d{3}) s +(.*)$/.exec(line);
    if (timed === null) {
      const { word, value } = settingOf(line, number);
      if (found.has(word)) throw new ScenarioFormatError(number, `${word} is there twice`);
      found.set(word, { value, line: number });
      continue;
    }
    const at = msOf(timed[1]);
    if (at === null) throw new ScenarioFormatError(number, `${timed[1]} s is more than an hour`);
    const operation = operationOf(at, timed[2]!, number);
    if (operation === null) faults.push(faultOf(at, timed[2]!, number));
    else operations.push(operation);
  }
  const setting = (name: string) => {
    const entry = found.get(name);
    if (entry === undefined) throw new ScenarioFormatError(0, `there is no line that begins with ${name}`);
    return entry.value;
  };
  const header = Object.fromEntries(NAMES.map((name) => [name, setting(SETTINGS[name].word)]));
  const byTime = (a: { at: number }, b: { at: number }) => a.at - b.at;
  const schedule = {
    ...(header as unknown as Header),
    faults: faults.sort(byTime),
    operations: operations.sort(byTime),
  };
  checkReplicas(schedule);
  return { schedule, breaks: setting("breaks") as string | null };
}

function settingOf(line: string, number: number): { word: string; value: unknown } {
  const [, word, rest] = /^(\S+) +(.*)$/.exec(line) ?? [];
  if (word === "breaks") return { word, value: rest === NOTHING ? null : rest };
  const name = NAMES.find((one) => SETTINGS[one].word === word);
  if (word === undefined || rest === undefined || name === undefined) {
    const words = ["breaks", ...NAMES.map((one) => SETTINGS[one].word)].join(", ");
    throw new ScenarioFormatError(number, `neither a time such as 12.345 s nor one of ${words}`);
  }
  const value: unknown = SETTINGS[name].parse(rest);
  if (value === null && !isSetting(name, rest)) {
    throw new ScenarioFormatError(number, `${word} ${rest}: must be ${SETTINGS[name].is}`);
  }
  return { word, value };
}

function faultOf(at: number, text: string, number: number): FaultLine {
  const [, fault, duration, seed] = /^(.*?) +(\d{1,7}) ms +seed (\d{1,15})$/.exec(text) ?? [];
  if (fault === undefined) {
    throw new ScenarioFormatError(
      number,
      "neither an operation such as client 1 at 2: get k3 nor a fault such as kill 200 ms seed 7",
    );
  }
  if (faultNamed(fault) === null) {
    const names = ALL_FAULTS.map(({ name }) => name).join("; ");
    throw new ScenarioFormatError(number, `there is no fault ${fault}; there are ${names}`);
  }
  return { at, fault, duration: Number(duration), seed: Number(seed) };
}

/** Null: the line is of a fault. */
function operationOf(at: number, text: string, number: number): OperationLine | null {
  const [, client, replica, request] = /^client (\d{1,3}) at (\d{1,3}): (.*)$/.exec(text) ?? [];
  if (request === undefined) return null;
  if (within(Number(client), 1, MOST_CLIENTS) === null) {
    throw new ScenarioFormatError(number, `client ${client}: must be from 1 to ${MOST_CLIENTS}`);
  }
  try {
    return { at, client: Number(client), replica: Number(replica), request: parseRequestText(request) };
  } catch (error) {
    if (!(error instanceof RequestTextError)) throw error;
    throw new ScenarioFormatError(number, error.message);
  }
}

function checkReplicas({ replicas, damageable, operations }: Schedule): void {
  const unknown = [...damageable, ...operations.map(({ replica }) => replica)].find(
    (id) => id < 1 || id > replicas,
  );
  if (unknown !== undefined) {
    throw new ScenarioFormatError(0, `replica ${unknown} is named, and there are ${replicas}`);
  }
}
