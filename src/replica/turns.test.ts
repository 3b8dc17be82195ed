// The order of a turn: `accept` before the own write, and nothing that speaks for the disk before its proof (S13, A7).
import assert from "node:assert/strict";
import { test } from "node:test";
import { syncedUpTo } from "../../test/cluster/forge.js";
import type { Event } from "../paxos/event.js";
import { Outbox } from "../paxos/outbox.js";
import { type Core, Turns } from "./turns.js";

type Step = (event: Event, outbox: Outbox) => void;

/** A core that does what the test says, with what its driver does, in order, in `trace`. */
function fixture(step: Step) {
  const trace: string[] = [];
  const tasks: (() => void)[] = [];
  const core: Core = {
    step: (event, _now, outbox) => step(event, outbox),
    endTurn: () => {},
    deadline: Number.POSITIVE_INFINITY,
    leader: 0,
    ballot: 0,
    isLeading: false,
    chosenUpTo: 0,
    promised: 0,
  };
  const requests: Event[] = [];
  const turns = new Turns({
    core,
    log: {
      append: (turn, promise, records, urgent) =>
        trace.push(`append ${turn} p${promise} r${records.length} ${urgent ? "urgent" : "lazy"}`),
    },
    network: { send: (to, message) => trace.push(`send ${message.kind} to ${to.join()}`) },
    clock: { now: () => 0, at: () => 0, cancel: () => {}, soon: (task) => tasks.push(task) },
    requests: [{ take: () => requests.splice(0) }],
    onChosen: (entries) => trace.push(`chosen ${entries.length}`),
    onNotice: (notice) => trace.push(`notice ${notice.kind}`),
    onTurn: () => trace.push("turn"),
    onBroken: (error) => trace.push(`broken ${error.message}`),
  });
  const settle = () => {
    while (tasks.length > 0) tasks.shift()!();
  };
  const synced = (turn: number) => turns.onSynced(syncedUpTo(turn));
  return { turns, trace, settle, synced, requests };
}

const tick: Event = { kind: "tick" };

test("a turn sends what may go now, then writes, then hands out; after the proof it sends the rest", () => {
  const { turns, trace, settle, synced } = fixture((event, outbox) => {
    if (event.kind !== "tick") return;
    outbox.records.push({ kind: "accepted", slot: 1, ballot: 65537, value: Uint8Array.of(0) });
    outbox.send([2, 3], { kind: "accept", ballot: 65537, firstSlot: 1, values: [], chosenUpTo: 0 });
    outbox.sendAfterSync([2], { kind: "accepted", ballot: 65537, upTo: 1, slots: [] });
    outbox.chosen.push({ slot: 1, value: Uint8Array.of(0) });
  });
  turns.post(tick);
  assert.deepEqual(trace, []);
  settle();
  assert.deepEqual(trace.splice(0), ["send accept to 2,3", "append 1 p0 r1 urgent", "chosen 1", "turn"]);
  synced(1);
  assert.deepEqual(trace.splice(0), ["send accepted to 2"]);
  settle();
  assert.deepEqual(trace, ["turn"]);
});

test("everything that waits is one turn, and the callers' wishes come with it", () => {
  const seen: string[] = [];
  const { turns, settle, requests } = fixture((event, outbox) => seen.push(`${outbox.turn} ${event.kind}`));
  turns.post(tick);
  turns.post({ kind: "linkUp", peer: 2 });
  requests.push({ kind: "read", id: 1 });
  settle();
  turns.wake();
  turns.post(tick);
  settle();
  assert.deepEqual(seen, ["1 tick", "1 linkUp", "1 read", "2 tick"]);
});

test("A7: outboxes are released in the order of their turns, each by a proof that covers it", () => {
  let kind: "promise" | "accepted" = "promise";
  const { turns, trace, settle, synced } = fixture((event, outbox) => {
    if (event.kind !== "tick") return;
    if (kind === "accepted") outbox.sendAfterSync([3], { kind: "accepted", ballot: 1, upTo: 0, slots: [] });
    else outbox.sendAfterSync([2], { kind: "prepare", ballot: 1, fromSlot: 1 });
    kind = "accepted";
  });
  for (let i = 0; i < 3; i += 1) {
    turns.post(tick);
    settle();
  }
  trace.length = 0;
  synced(2);
  assert.deepEqual(trace.splice(0), ["send prepare to 2", "send accepted to 3"]);
  synced(3);
  assert.deepEqual(trace, ["send accepted to 3"]);
});

test("a turn with nothing for the disk asks nothing of it; one with only a watermark does not hurry", () => {
  let records = 0;
  const { turns, trace, settle } = fixture((_event, outbox) => {
    if (records > 0) outbox.records.push({ kind: "chosen", upTo: records });
  });
  turns.post(tick);
  settle();
  records = 1;
  turns.post(tick);
  settle();
  assert.deepEqual(trace, ["turn", "append 2 p0 r1 lazy", "turn"]);
});

test("after a failed assertion nothing of the turn leaves; after a stop nothing does", () => {
  const { turns, trace, settle, synced } = fixture((event, outbox) => {
    outbox.send([2], { kind: "learn", fromSlot: 1 });
    outbox.sendAfterSync([2], { kind: "prepare", ballot: 1, fromSlot: 1 });
    if (event.kind === "linkUp") throw new Error("bug");
  });
  turns.post(tick);
  settle();
  trace.length = 0;
  turns.post({ kind: "linkUp", peer: 2 });
  settle();
  assert.deepEqual(trace.splice(0), ["broken bug"]);
  turns.stop();
  synced(1);
  turns.post(tick);
  settle();
  assert.deepEqual(trace, []);
});

test("an outbox that is used again carries nothing over, and none that waits for the disk is used again", () => {
  let isFirst = true;
  const { turns, trace, settle } = fixture((_event, outbox) => {
    if (isFirst) outbox.send([2], { kind: "learn", fromSlot: 1 });
    isFirst = false;
  });
  for (let i = 0; i < 2; i += 1) {
    turns.post(tick);
    settle();
  }
  assert.deepEqual(
    trace.filter((line) => line.startsWith("send")),
    ["send learn to 2"],
  );
  const waiting = new Outbox(1);
  waiting.sendAfterSync([2], { kind: "prepare", ballot: 1, fromSlot: 1 });
  assert.throws(() => waiting.begin(2), /is not used again/);
  const written = new Outbox(1);
  written.records.push({ kind: "chosen", upTo: 1 });
  assert.throws(() => written.begin(2), /is not used again/);
});
