// Whole numbers as etcdctl's flags and arguments give them, with Go's texts for those that are none.

const INT64_MAX = 2n ** 63n - 1n;

export type ParsedInteger = { readonly value: bigint } | { readonly fault: string };

/** Go's `strconv.ParseInt(text, base, 64)`; base 0 reads 0x, 0o and 0b too. */
export function parseInteger(text: string, base: 0 | 10 | 16): ParsedInteger {
  const [, sign, digits] = /^([+-]?)(.*)$/s.exec(text)!;
  const literal = literalOf(digits!, base);
  if (literal === null) return { fault: `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax` };
  const value = sign === "-" ? -BigInt(literal) : BigInt(literal);
  if (value > INT64_MAX || value < -INT64_MAX - 1n) {
    return { fault: `strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range` };
  }
  return { value };
}

function literalOf(digits: string, base: 0 | 10 | 16): string | null {
  if (base === 16) return /^[\da-f]+$/i.test(digits) ? `0x${digits}` : null;
  if (/^\d+$/.test(digits)) return base === 0 && /^0[0-7]+$/.test(digits) ? `0o${digits}` : digits;
  return base === 0 && /^0(?:x[\da-f]+|o[0-7]+|b[01]+)$/i.test(digits) ? digits : null;
}
