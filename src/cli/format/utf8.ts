// UTF-8 as Go walks it, and byte strings as text that loses nothing: a byte that is no UTF-8 becomes the lone
// surrogate 0xDC00 + byte (Python's "surrogateescape"), so that keys may come through argv, regexps and trims.

export interface Rune {
  /** The code point, or -1 for one byte that is no UTF-8. */
  readonly point: number;
  /** Bytes that it takes, from 1. */
  readonly size: number;
}

const INVALID: Rune = { point: -1, size: 1 };

/** The smallest code point that needs as many bytes as the index says; shorter forms are refused. */
const SMALLEST = [0, 0, 0x80, 0x800, 0x10000];

function sizeOf(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/** The code point that begins at `at`, which must lie within `bytes`. */
export function decodeRune(bytes: Uint8Array, at: number): Rune {
  const lead = bytes[at]!;
  const size = sizeOf(lead);
  if (size === 1) return { point: lead, size };
  if (size === 0 || at + size > bytes.length) return INVALID;
  let point = lead & (0xff >> (size + 1));
  for (let i = 1; i < size; i += 1) {
    const next = bytes[at + i]!;
    if ((next & 0xc0) !== 0x80) return INVALID;
    point = (point << 6) | (next & 0x3f);
  }
  const isSurrogate = point >= 0xd800 && point < 0xe000;
  return point < SMALLEST[size]! || point > 0x10ffff || isSurrogate ? INVALID : { point, size };
}

export function textOfBytes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const { point, size } = decodeRune(bytes, at);
    text += point < 0 ? String.fromCharCode(0xdc00 + bytes[at]!) : String.fromCodePoint(point);
    at += size;
  }
  return text;
}

export function bytesOfText(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const character of text) {
    const unit = character.charCodeAt(0);
    const isEscapedByte = character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff;
    parts.push(isEscapedByte ? Uint8Array.of(unit - 0xdc00) : Buffer.from(character));
  }
  return new Uint8Array(Buffer.concat(parts));
}
