// The codec of peer messages: what is written is read, and broken bytes of every sort give null.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../base/bytes.js";
import { LAST_SLOT } from "../paxos/ballot.js";
import { decodeMessage, encodeMessage } from "./message-codec.js";
import type { PeerMessage } from "./peer-message.js";

// Plain objects, as the decoder makes them, for strict comparison.
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });
const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const slot = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: LAST_SLOT - 2 ** 21 }));
const replica = fc.integer({ min: 1, max: 65535 });
const value = fc.uint8Array({ maxLength: 40 });
const list = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 8 });
const faulty = fc
  .record({ from: slot, length: fc.nat(9), ballot: number })
  .map(({ from, length, ballot }) => ({ from, to: from + length, ballot }));
const command = record({
  origin: replica,
  incarnation: number,
  number,
  settled: number,
  payload: value,
});
const is = <K extends PeerMessage["kind"]>(kind: K) => fc.constant(kind);

const message: fc.Arbitrary<PeerMessage> = fc.oneof(
  record({ kind: is("prepare"), ballot: number, fromSlot: slot }),
  record({
    kind: is("promise"),
    ballot: number,
    from: slot,
    to: fc.oneof(slot, fc.constant(LAST_SLOT)),
    accepted: list(record({ slot, ballot: number, value })),
    faulty: list(faulty),
    chosenUpTo: number,
    compactedUpTo: number,
  }),
  record({ kind: is("accept"), ballot: number, firstSlot: slot, values: list(value), chosenUpTo: number }),
  record({ kind: is("accepted"), ballot: number, upTo: number, slots: list(number) }),
  record({ kind: is("reject"), ballot: number, promised: number }),
  record({
    kind: is("heartbeat"),
    ballot: number,
    chosenUpTo: number,
    round: number,
    quorumConnected: fc.boolean(),
    emptyAbove: number,
    full: fc.boolean(),
    digests: list(record({ replica, slot, digest: number })),
  }),
  record({
    kind: is("heartbeatAck"),
    ballot: number,
    round: number,
    syncedUpTo: number,
    digestSlot: number,
    digest: number,
    lease: fc.boolean(),
    damaged: fc.boolean(),
    full: fc.boolean(),
  }),
  record({ kind: is("canvass"), round: number, chosenUpTo: number }),
  record({
    kind: is("canvassReply"),
    round: number,
    willing: fc.boolean(),
    promised: number,
    chosenUpTo: number,
    leader: fc.nat(65535),
  }),
  record({ kind: is("learn"), fromSlot: slot }),
  record({ kind: is("learned"), entries: list(record({ slot, value })) }),
  record({ kind: is("forward"), commands: list(command), hops: number }),
  record({
    kind: is("forwarded"),
    origin: replica,
    incarnation: number,
    numbers: list(number),
    ballot: number,
    chosenUpTo: number,
  }),
  record({ kind: is("readIndex"), origin: replica, id: number, hops: number }),
  record({
    kind: is("readIndexReply"),
    origin: replica,
    id: number,
    slot: number,
    ballot: number,
    chosenUpTo: number,
  }),
  record({ kind: is("transfer"), ballot: number, to: fc.nat(65535) }),
  record({ kind: is("genesis"), bytes: value }),
);

function encode(of: PeerMessage): Uint8Array {
  const writer = new ByteWriter();
  encodeMessage(of, writer);
  return writer.finish();
}

test("every message comes back as it was", () => {
  fc.assert(
    fc.property(message, (sent) => {
      assert.deepEqual(decodeMessage(encode(sent)), sent);
    }),
    { numRuns: 1000 },
  );
});

test("decoding is total: mutated, cut and random bytes give a message or null, never an error", () => {
  const mutation = record({ at: fc.nat(), byte: fc.nat(255) });
  fc.assert(
    fc.property(message, fc.array(mutation, { maxLength: 4 }), fc.nat(), (sent, mutations, keep) => {
      const bytes = encode(sent).slice();
      for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
      const cut = bytes.subarray(0, keep % 3 === 0 ? keep % bytes.length : bytes.length);
      const decoded = decodeMessage(cut);
      if (decoded !== null) assert.deepEqual(decodeMessage(encode(decoded)), decoded);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const decoded = decodeMessage(bytes);
      assert.ok(decoded === null || typeof decoded.kind === "string");
    }),
  );
});

test("every cut and every tail is refused", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const bytes = encode(sent);
      for (let length = 0; length < bytes.length; length += 1) {
        assert.equal(decodeMessage(bytes.subarray(0, length)), null);
      }
      assert.equal(decodeMessage(Uint8Array.of(...bytes, 0)), null);
    }),
  );
});

test("values are views of the bytes received, not copies", () => {
  const bytes = encode({
    kind: "accept",
    ballot: 5,
    firstSlot: 1,
    values: [Uint8Array.of(9)],
    chosenUpTo: 0,
  });
  const decoded = decodeMessage(bytes);
  assert.ok(decoded?.kind === "accept");
  assert.equal(decoded.values[0]?.buffer, bytes.buffer);
});

test("a count that the bytes cannot hold is refused before anything is made for it", () => {
  const writer = new ByteWriter();
  writer.u8(4);
  for (const field of [5, 0, 2 ** 40]) writer.varint(field);
  assert.equal(decodeMessage(writer.finish()), null);
});
