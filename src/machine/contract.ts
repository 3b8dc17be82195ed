// What every state machine must keep, as data: run each case with your own machine in your own test runner.
// `for (const { name, run } of machineContract) test(name, () => run(subject));`
import { assert } from "../base/assert.js";
import type { StateMachine } from "./machine.js";

/** A machine under test, with what to feed it. */
export interface ContractSubject<Command, Result, Query, Answer> {
  /** A new, empty machine. */
  make(): Promise<StateMachine<Command, Result, Query, Answer>>;
  /** Durable machines: opens anew what `machine`, which is not used any more, has committed. */
  readonly reopen?: (
    machine: StateMachine<Command, Result, Query, Answer>,
  ) => Promise<StateMachine<Command, Result, Query, Answer>>;
  /** Ten or more; some should depend on those before them. */
  readonly commands: readonly Command[];
  /** The whole state, or what stands for it, as text. */
  describe(machine: StateMachine<Command, Result, Query, Answer>): Promise<string>;
}

export interface ContractCase {
  readonly name: string;
  run<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void>;
}

export const machineContract: readonly ContractCase[] = [
  { name: "commands survive encoding", run: survivesEncoding },
  { name: "the same commands give the same state and results", run: isDeterministic },
  { name: "a snapshot restores the state, also over another one", run: restores },
  { name: "a snapshot is of the moment it was taken", run: isFrozen },
  { name: "the same state has the same digest, and another state another one", run: isDigested },
  { name: "bytes that are no command are refused alike, and change nothing", run: refusesNoise },
  { name: "a durable machine holds what it committed, and says up to which slot", run: holds },
];

async function survivesEncoding<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void> {
  const machine = await subject.make();
  for (const command of subject.commands) {
    const bytes = machine.encode(command);
    const again = machine.encode(machine.decode(bytes));
    assert(textOf(again) === textOf(bytes), "encode(decode(bytes)) gives the same bytes");
  }
  await machine.durable?.close();
}

async function isDeterministic<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void> {
  const one = await subject.make();
  const other = await subject.make();
  const results = apply(one, subject.commands, 1);
  assert(results === apply(other, subject.commands, 1), "two machines give the same results");
  assert((await subject.describe(one)) === (await subject.describe(other)), "and have the same state");
  await one.durable?.close();
  await other.durable?.close();
}

/** As one who restores them has them: the machine that made a chunk may use its memory again. */
async function* copiesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield chunk.slice();
}

async function restores<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void> {
  const half = Math.floor(subject.commands.length / 2);
  const from = await subject.make();
  apply(from, subject.commands, 1);
  const into = await subject.make();
  apply(into, subject.commands.slice(0, half), 1);
  await into.restore(copiesOf(from.snapshot()));
  assert((await subject.describe(into)) === (await subject.describe(from)), "the state is the snapshot's");
  const at = subject.commands.length + 1;
  assert(apply(into, subject.commands, at) === apply(from, subject.commands, at), "and goes on alike");
  await from.durable?.close();
  await into.durable?.close();
}

async function isFrozen<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void> {
  const half = Math.floor(subject.commands.length / 2);
  const from = await subject.make();
  apply(from, subject.commands.slice(0, half), 1);
  const before = await subject.describe(from);
  const chunks = from.snapshot();
  apply(from, subject.commands.slice(half), half + 1);
  const into = await subject.make();
  await into.restore(copiesOf(chunks));
  assert((await subject.describe(into)) === before, "commands applied after snapshot() do not show in it");
  await from.durable?.close();
  await into.durable?.close();
}

async function isDigested<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void> {
  const half = Math.floor(subject.commands.length / 2);
  const one = await subject.make();
  const other = await subject.make();
  const seen = new Set<number | undefined>();
  for (let at = 0; at <= subject.commands.length; at += 1) {
    const digest = one.digest?.();
    assert(digest === other.digest?.(), "two machines that executed the same have the same digest");
    assert(
      digest === undefined || (Number.isSafeInteger(digest) && digest >= 0),
      "a digest is a safe integer",
    );
    if (at === 0 || at === half || at === subject.commands.length) seen.add(digest);
    for (const machine of [one, other]) apply(machine, subject.commands.slice(at, at + 1), at + 1);
  }
  assert(one.digest === undefined || seen.size === 3, "commands that change the state change the digest");
  await other.restore(copiesOf(one.snapshot()));
  assert(other.digest?.() === one.digest?.(), "a state from a snapshot has the digest of the state");
  for (const machine of [one, other]) apply(machine, subject.commands, subject.commands.length + 1);
  assert(other.digest?.() === one.digest?.(), "and goes on alike");
  await one.durable?.close();
  await other.durable?.close();
}

async function refusesNoise<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void> {
  const machine = await subject.make();
  const other = await subject.make();
  apply(machine, subject.commands, 1);
  apply(other, subject.commands, 1);
  let slot = subject.commands.length;
  for (const noise of noises(machine.encode(subject.commands[0]!))) {
    slot += 1;
    assert(outcomeOf(machine, noise, slot) === outcomeOf(other, noise, slot), "the same outcome everywhere");
  }
  assert((await subject.describe(machine)) === (await subject.describe(other)), "and the same state");
  assert(machine.digest?.() === other.digest?.(), "and the same digest");
  await machine.durable?.close();
  await other.durable?.close();
}

async function holds<C, R, Q, A>(subject: ContractSubject<C, R, Q, A>): Promise<void> {
  const machine = await subject.make();
  const { durable } = machine;
  if (durable === undefined || subject.reopen === undefined) return;
  assert(durable.held().slot === 0, "an empty machine holds slot 0");
  const half = Math.floor(subject.commands.length / 2);
  apply(machine, subject.commands.slice(0, half), 1);
  const before = await subject.describe(machine);
  const digestBefore = machine.digest?.();
  const commit = durable.commit(half, Uint8Array.of(1, 2, 3));
  apply(machine, subject.commands.slice(half), half + 1);
  await commit;
  const after = await subject.describe(machine);
  const digestAfter = machine.digest?.();
  const again = await subject.reopen(machine);
  const held = again.durable!.held();
  assert(held.slot === half, "it holds the slot that it was committed with");
  assert(textOf(held.meta) === "1,2,3", "and the bytes");
  assert((await subject.describe(again)) === before, "and the state as of the call of commit");
  assert(again.digest?.() === digestBefore, "with its digest");
  apply(again, subject.commands.slice(half), half + 1);
  assert((await subject.describe(again)) === after, "the rest applied again gives the same state");
  assert(again.digest?.() === digestAfter, "and the same digest");
  await again.durable!.commit(subject.commands.length, new Uint8Array(0));
  assert(again.durable!.uncommittedBytes() === 0, "nothing is uncommitted after a commit of everything");
  await again.durable!.close();
}

/** Applies in slots from `slot` on, and gives the results as text. */
function apply<C, R, Q, A>(machine: StateMachine<C, R, Q, A>, commands: readonly C[], slot: number): string {
  return commands.map((command, i) => outcomeOf(machine, machine.encode(command), slot + i)).join("\n");
}

function outcomeOf<C, R, Q, A>(machine: StateMachine<C, R, Q, A>, bytes: Uint8Array, slot: number): string {
  try {
    return JSON.stringify(machine.apply(machine.decode(bytes), slot), replaceBigInt) ?? "undefined";
  } catch (error) {
    return `refused: ${error instanceof Error ? error.name : "?"}`;
  }
}

function replaceBigInt(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

function noises(command: Uint8Array): Uint8Array[] {
  const all = [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(255, 254, 253), new Uint8Array(1000)];
  for (let cut = 1; cut < command.length && cut < 64; cut += 1) all.push(command.slice(0, cut));
  for (let at = 0; at < command.length && at < 64; at += 1) {
    const flipped = command.slice();
    flipped[at] = flipped[at]! ^ 0xff;
    all.push(flipped);
  }
  return all;
}

function textOf(bytes: Uint8Array): string {
  return bytes.join(",");
}
