// A 32-bit digest of plain state, built up number by number: equal states give equal digests.
// Rule: never used for safety, only to compare and to count states (FNV-1a, 32 bit).

export const EMPTY_DIGEST = 0x811c9dc5;
const PRIME = 0x01000193;
const TWO_32 = 2 ** 32;

/** Mixes an integer from 0 to `Number.MAX_SAFE_INTEGER` into `digest`. */
export function mixNumber(digest: number, value: number): number {
  const low = Math.imul(digest ^ (value >>> 0), PRIME) ^ (digest >>> 15);
  return Math.imul(low ^ Math.floor(value / TWO_32), PRIME) >>> 0;
}

/** Mixes a byte; what it returns is a digest with `>>> 0`. */
export function mixByte(digest: number, byte: number): number {
  return Math.imul(digest ^ byte, PRIME);
}

/** Mixes the length and every byte. */
export function mixBytes(digest: number, bytes: Uint8Array): number {
  let mixed = mixNumber(digest, bytes.length);
  for (let i = 0; i < bytes.length; i += 1) mixed = mixByte(mixed, bytes[i]!);
  return mixed >>> 0;
}
