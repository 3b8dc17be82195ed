// Go's quoted strings (strconv.Quote and Unquote): what `-w fields` prints and what a transaction's text is read as.
import { decodeRune, textOfBytes } from "./utf8.js";

const SHORT: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

/** What Go calls printable: letters, marks, numbers, punctuation, symbols, and the ASCII space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

export function quote(bytes: Uint8Array): string {
  let text = '"';
  for (let at = 0; at < bytes.length; ) {
    const { point, size } = decodeRune(bytes, at);
    text += point < 0 ? `\\x${hex(bytes[at]!, 2)}` : quotedRune(point);
    at += size;
  }
  return `${text}"`;
}

function quotedRune(point: number): string {
  const short = SHORT.get(point);
  if (short !== undefined) return short;
  const character = String.fromCodePoint(point);
  if (PRINTABLE.test(character)) return character;
  if (point < 0x20 || point === 0x7f) return `\\x${hex(point, 2)}`;
  return point < 0x10000 ? `\\u${hex(point, 4)}` : `\\U${hex(point, 8)}`;
}

export interface Unquoted {
  /** The bytes meant, as `textOfBytes` writes them. */
  readonly text: string;
  /** Where reading may go on. */
  readonly end: number;
}

/** Reads the quoted string that begins at `at`, in "double" quotes or `back` quotes; null: there is none. */
export function unquote(source: string, at: number): Unquoted | null {
  if (source[at] === "`") {
    const close = source.indexOf("`", at + 1);
    return close < 0 ? null : { text: source.slice(at + 1, close).replaceAll("\r", ""), end: close + 1 };
  }
  if (source[at] !== '"') return null;
  const parts: Uint8Array[] = [];
  for (let next = at + 1; next < source.length; ) {
    const character = String.fromCodePoint(source.codePointAt(next)!);
    if (character === '"') return { text: textOfBytes(Buffer.concat(parts)), end: next + 1 };
    if (character === "\n") return null;
    const escaped = character === "\\" ? readEscape(source, next) : null;
    if (character === "\\" && escaped === null) return null;
    parts.push(escaped?.bytes ?? rawBytes(character));
    next = escaped?.end ?? next + character.length;
  }
  return null;
}

function rawBytes(character: string): Uint8Array {
  const unit = character.charCodeAt(0);
  return character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff
    ? Uint8Array.of(unit - 0xdc00)
    : Buffer.from(character);
}

/** The escape whose backslash is at `at`; null: Go knows no such escape. */
function readEscape(source: string, at: number): { bytes: Uint8Array; end: number } | null {
  const two = source.slice(at, at + 2);
  for (const [point, short] of SHORT) {
    if (short === two) return { bytes: Uint8Array.of(point), end: at + 2 };
  }
  const [match, octal, byte, small, large] =
    /^\\(?:([0-3][0-7]{2})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/.exec(
      source.slice(at, at + 10),
    ) ?? [];
  if (match === undefined) return null;
  const end = at + match.length;
  if (octal !== undefined) return { bytes: Uint8Array.of(Number.parseInt(octal, 8)), end };
  if (byte !== undefined) return { bytes: Uint8Array.of(Number.parseInt(byte, 16)), end };
  const point = Number.parseInt((small ?? large)!, 16);
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return null;
  return { bytes: Buffer.from(String.fromCodePoint(point)), end };
}
