// The frames of the handshake go there and back; malformed ones are told as such.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FRAME_HEADER_BYTES, FRAME_KINDS, sealFrame, startFrame } from "./frame.js";
import {
  decodeHello,
  decodeNumber,
  decodeRefusal,
  decodeSighting,
  encodeHello,
  encodeNumber,
  encodeRefusal,
  encodeSighting,
  PROTOCOL_VERSION,
} from "./handshake.js";

const payloadOf = (frame: Uint8Array) => frame.subarray(FRAME_HEADER_BYTES);

const sightings = fc.record(
  {
    replica: fc.integer({ min: 1, max: 65535 }),
    diskId: fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((bytes) => Buffer.from(bytes).toString("hex")),
    incarnation: fc.maxSafeNat(),
    run: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);
const hellos = fc
  .tuple(
    sightings,
    fc.record({
      clusterId: fc
        .uint8Array({ minLength: 8, maxLength: 8 })
        .map((bytes) => Buffer.from(bytes).toString("hex")),
      to: fc.nat(65535),
    }),
  )
  .map(([sighting, rest]) => ({ ...sighting, ...rest }));

describe("handshake", () => {
  test("hello, sighting and number go there and back", () => {
    fc.assert(
      fc.property(hellos, sightings, fc.maxSafeNat(), (hello, sighting, number) => {
        assert.deepEqual(decodeHello(payloadOf(encodeHello(hello))), { kind: "hello", hello });
        assert.deepEqual(decodeSighting(payloadOf(encodeSighting(sighting))), sighting);
        assert.equal(decodeNumber(payloadOf(encodeNumber(FRAME_KINDS.welcome, number))), number);
      }),
    );
  });

  test("a hello that is cut or longer comes from a stranger", () => {
    fc.assert(
      fc.property(hellos, fc.nat(200), (hello, length) => {
        const payload = payloadOf(encodeHello(hello));
        const other = new Uint8Array(length);
        other.set(payload.subarray(0, length));
        if (length !== payload.length) assert.notEqual(decodeHello(other).kind, "hello");
      }),
    );
  });

  test("arbitrary payloads are decoded to something, without an exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (payload) => {
        assert.equal(decodeHello(payload).kind, "stranger");
        decodeSighting(payload);
        decodeNumber(payload);
        assert.match(decodeRefusal(payload), /^[ -~]*$/);
      }),
    );
  });

  test("another version is named, whatever follows it", () => {
    const writer = startFrame(FRAME_KINDS.hello);
    writer.u32(0x53594e44);
    writer.u16(PROTOCOL_VERSION + 1);
    assert.deepEqual(decodeHello(payloadOf(sealFrame(writer))), {
      kind: "otherVersion",
      version: PROTOCOL_VERSION + 1,
    });
  });

  test("a refusal is cut, and cannot write lines into a log", () => {
    assert.equal(decodeRefusal(payloadOf(encodeRefusal("no\n\x1b[31mé: go"))), "no??[31m?: go");
    assert.equal(decodeRefusal(payloadOf(encodeRefusal("x".repeat(5000)))).length, 2000);
  });
});
