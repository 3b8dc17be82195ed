// What a connection is taken for, byte by byte.
import assert from "node:assert/strict";
import test from "node:test";
import { type Protocol, protocolOf } from "./first-bytes.js";

const table: readonly (readonly [string, Protocol])[] = [
  ["", "undecided"],
  ["P", "undecided"],
  ["PR", "undecided"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "undecided"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0", "http2"],
  ["PRI * HTTP/2.0\r\n\r\nXX", "unknown"],
  ["PRI /x HTTP/1.1\r\n", "unknown"],
  ["GET", "undecided"],
  ["GET ", "http1"],
  ["GET /health HTTP/1.1\r\n", "http1"],
  ["PUT /", "http1"],
  ["POST /v3/kv/put HTTP/1.1\r\n", "http1"],
  ["OPTIONS *", "http1"],
  ["get / HTTP/1.1", "unknown"],
  [" GET /", "unknown"],
  ["LONGMETHOD /", "unknown"],
  ["\x16\x03\x01", "unknown"],
  ["\0\0\0\0", "unknown"],
  ["\xff", "unknown"],
];

for (const [bytes, protocol] of table) {
  test(`${JSON.stringify(bytes)} is ${protocol}`, () => {
    assert.equal(protocolOf(Buffer.from(bytes, "latin1")), protocol);
  });
}
