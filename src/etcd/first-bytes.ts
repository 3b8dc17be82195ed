// Tells by a connection's first bytes what it speaks. HTTP/2 opens with a fixed preface (RFC 9113, section 3.4),
// HTTP/1.x with a method in capitals and a space.

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const METHOD_BYTES = 7;
const SPACE = 0x20;

export type Protocol = "http2" | "http1" | "unknown" | "undecided";

/** `undecided`: what has come may still become either. */
export function protocolOf(bytes: Uint8Array): Protocol {
  const shared = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.subarray(0, shared).equals(bytes.subarray(0, shared))) {
    return shared === PREFACE.length ? "http2" : "undecided";
  }
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i]!;
    if (byte === SPACE && i > 0) return startsLikePreface(bytes) ? "unknown" : "http1";
    const isCapital = byte >= 0x41 && byte <= 0x5a;
    if (!isCapital || i >= METHOD_BYTES) return "unknown";
  }
  return "undecided";
}

/** `PRI ` is no method of HTTP/1.x (RFC 9113, section 11.6). */
function startsLikePreface(bytes: Uint8Array): boolean {
  return PREFACE.subarray(0, 4).equals(bytes.subarray(0, 4));
}
