// Keys as latin1 strings: one character a byte, so that JavaScript's order of strings is the order of bytes
// (etcd's), and a key costs one byte a character in memory.

/** A call takes a limited number of arguments. */
const CHUNK = 4096;

export function latin1OfBytes(bytes: Uint8Array, from = 0, to = bytes.length): string {
  if (to - from <= CHUNK) return shortText(bytes, from, to);
  const parts: string[] = [];
  for (let at = from; at < to; at += CHUNK) parts.push(shortText(bytes, at, Math.min(to, at + CHUNK)));
  return parts.join("");
}

/** An array of numbers as arguments is several times faster than typed arrays, and as fast as Node's Buffer. */
function shortText(bytes: Uint8Array, start: number, end: number): string {
  const codes = new Array<number>(end - start);
  for (let i = start; i < end; i += 1) codes[i - start] = bytes[i]!;
  return String.fromCharCode.apply(null, codes);
}

export function bytesOfLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}
