// Go's formats, held against what Go printed (etcdctl 3.4.23).
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatSize } from "./byte-size.js";
import { formatDuration, parseDuration } from "./go-duration.js";
import { goJson } from "./go-json.js";
import { quote, unquote } from "./go-quote.js";
import { renderTable } from "./text-table.js";
import { bytesOfText, textOfBytes } from "./utf8.js";

test("quote escapes what Go escapes", () => {
  const bytes = Buffer.from("\u0001\u007f\xc3", "latin1");
  const text = "(\u0007\b\f\v\t\r\\ \u2028 \ue000 \u{1f600} \u00a0 \u00ad \ufeff \u{10ffff} \ufffd é \" '";
  assert.equal(
    quote(Buffer.concat([bytes, Buffer.from(text)])),
    '"\\x01\\x7f\\xc3(\\a\\b\\f\\v\\t\\r\\\\ \\u2028 \\ue000 \u{1f600} \\u00a0 \\u00ad \\ufeff \\U0010ffff \ufffd é \\" \'"',
  );
});

test("unquote reads back what quote wrote, for any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const quoted = quote(bytes);
      const read = unquote(`${quoted} rest`, 0);
      assert.deepEqual(read && { bytes: bytesOfText(read.text), end: read.end }, {
        bytes,
        end: quoted.length,
      });
    }),
  );
});

test("unquote knows Go's escapes and no others", () => {
  const read = (source: string): string | null => unquote(source, 0)?.text ?? null;
  assert.equal(read("`raw \\n`"), "raw \\n");
  assert.equal(read('"\\x41\\101\\u00e9\\U0001f600"'), "AAé\u{1f600}");
  for (const bad of [
    '"\\q"',
    '"open',
    "'x'",
    "x",
    '"\\400"',
    '"\\ud800"',
    '"\\U00110000"',
    '"a\nb"',
    "`open",
  ]) {
    assert.equal(read(bad), null, bad);
  }
});

test("text keeps bytes that are no UTF-8", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(bytesOfText(textOfBytes(bytes)), bytes)),
  );
  assert.equal(textOfBytes(Buffer.from("aé\u{1f600}")), "aé\u{1f600}");
  // Overlong, surrogate, cut off, beyond the last code point: each byte stands for itself.
  for (const bytes of [
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xe2, 0x82],
    [0xf5, 0x80, 0x80, 0x80],
  ]) {
    assert.equal(textOfBytes(Uint8Array.from(bytes)).length, bytes.length);
  }
});

test("JSON leaves out what is empty, escapes as Go does, and keeps 64 bits", () => {
  const value = {
    id: 17681153939110656363n,
    none: 0n,
    key: Uint8Array.of(0x6b, 0xff),
    list: [],
    is: false,
    s: "",
  };
  assert.equal(goJson(value), '{"id":17681153939110656363,"key":"a/8="}');
  assert.equal(goJson({ s: "<a&b>\u2028\\b" }), '{"s":"\\u003ca\\u0026b\\u003e\\u2028\\\\b"}');
  assert.equal(goJson([{ a: {} }]), '[{"a":{}}]');
});

test("durations", () => {
  const cases: [bigint, string][] = [
    [0n, "0s"],
    [17n, "17ns"],
    [1_500n, "1.5µs"],
    [2_269_342n, "2.269342ms"],
    [3_030_480n, "3.03048ms"],
    [1_000_620_354n, "1.000620354s"],
    [61_000_000_000n, "1m1s"],
    [3_661_500_000_000n, "1h1m1.5s"],
  ];
  for (const [nanoseconds, text] of cases) assert.equal(formatDuration(nanoseconds), text);
  assert.deepEqual(
    ["5s", "1m30s", ".5s", "1.5h", "0", "100us", "-1s"].map(parseDuration),
    [5_000, 90_000, 500, 5_400_000, 0, 0.1, -1_000],
  );
  for (const bad of ["", "5", "s", "5 s", "5x", "+"]) assert.equal(parseDuration(bad), null, bad);
});

test("sizes", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [9, "9 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [20_480, "20 kB"],
    [21_500, "22 kB"],
    [24_576, "25 kB"],
    [1_500_000, "1.5 MB"],
    [2_147_483_648, "2.1 GB"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatSize(bytes), text);
});

test("a table's heads are centred, its cells at the right and broken at 30 columns", () => {
  assert.equal(
    renderTable(["endpoint", "ID"], [["127.0.0.1:44001", "f56013d42fb0796b"]]),
    `+-----------------+------------------+
|    ENDPOINT     |        ID        |
+-----------------+------------------+
| 127.0.0.1:44001 | f56013d42fb0796b |
+-----------------+------------------+
`,
  );
  const error = "etcdserver: request timed out, possibly due to previous leader failure";
  assert.equal(
    renderTable(["error", "x"], [[error, "1"]]),
    `+--------------------------------+---+
|             ERROR              | X |
+--------------------------------+---+
|      etcdserver: request timed | 1 |
|  out, possibly due to previous |   |
|                 leader failure |   |
+--------------------------------+---+
`,
  );
  assert.equal(renderTable(["a"], []), "+---+\n| A |\n+---+\n");
});
