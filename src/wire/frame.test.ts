// Frames: whatever the chunks, what was sent comes out; whatever the bytes, nothing throws and nothing is made up.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../base/bytes.js";
import {
  FRAME_HEADER_BYTES,
  FRAME_KINDS,
  FrameParser,
  MAX_FRAME_BYTES,
  sealFrame,
  startFrame,
} from "./frame.js";

function frameOf(body: Uint8Array): Uint8Array {
  const writer = startFrame(FRAME_KINDS.message);
  writer.raw(body);
  return sealFrame(writer);
}

/** Cuts `bytes` where `cuts` say and parses the pieces. */
function parse(bytes: Uint8Array, cuts: readonly number[], limit = MAX_FRAME_BYTES) {
  const parser = new FrameParser(limit);
  const payloads: Uint8Array[] = [];
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < at.length; i += 1) {
    parser.push(bytes.slice(at[i - 1], at[i]));
    for (let payload = parser.next(); payload !== null; payload = parser.next()) payloads.push(payload);
  }
  return { payloads, fault: parser.fault };
}

const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
const cuts = fc.array(fc.nat(4000), { maxLength: 20 });

describe("frames", () => {
  test("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(bodies, cuts, (given, where) => {
        const { payloads, fault } = parse(concatBytes(given.map(frameOf)), where);
        assert.equal(fault, null);
        assert.deepEqual(
          payloads.map((payload) => Uint8Array.from(payload.subarray(1))),
          given,
        );
        assert.ok(payloads.every((payload) => payload[0] === FRAME_KINDS.message));
      }),
    );
  });

  test("one changed bit is found; the frames before it come out", () => {
    fc.assert(
      fc.property(bodies, cuts, fc.nat(), (given, where, bit) => {
        const bytes = concatBytes(given.map(frameOf));
        if (bytes.length === 0) return;
        const at = Math.floor(bit / 8) % bytes.length;
        bytes[at] = bytes[at]! ^ (1 << (bit % 8));
        const { payloads } = parse(bytes, where);
        let start = 0;
        let before = 0;
        for (const body of given) {
          start += FRAME_HEADER_BYTES + 1 + body.length;
          if (start > at) break;
          before += 1;
        }
        assert.equal(payloads.length, before);
      }),
    );
  });

  test("arbitrary bytes give no frame and no exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), cuts, (bytes, where) => {
        assert.deepEqual(parse(bytes, where, 64).payloads, []);
      }),
    );
  });

  test("a length above the limit is a fault before its bytes come, an empty payload too", () => {
    const header = new Uint8Array(FRAME_HEADER_BYTES);
    new DataView(header.buffer).setUint32(4, 101, true);
    assert.equal(parse(header, [3], 100).fault, "oversized");
    assert.equal(parse(header, [], 101).fault, null);
    assert.equal(parse(new Uint8Array(FRAME_HEADER_BYTES), []).fault, "empty");
  });

  test("after a fault nothing comes, whatever follows", () => {
    const bad = frameOf(Uint8Array.of(1, 2, 3));
    bad[0] = bad[0]! ^ 1;
    const { payloads, fault } = parse(concatBytes([bad, frameOf(Uint8Array.of(4))]), []);
    assert.equal(fault, "checksum");
    assert.deepEqual(payloads, []);
  });

  test("a long frame is gathered from small chunks", () => {
    const body = new Uint8Array(4 * 1024 * 1024).fill(7);
    const bytes = frameOf(body);
    const parser = new FrameParser(MAX_FRAME_BYTES);
    let payload: Uint8Array | null = null;
    for (let at = 0; at < bytes.length; at += 1000) {
      assert.equal(payload, null);
      parser.push(bytes.subarray(at, at + 1000));
      payload = parser.next();
    }
    assert.deepEqual(payload?.subarray(1), body);
  });
});
