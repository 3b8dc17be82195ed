// Which keys a command means: one key, a range, everything with a prefix, or everything from a key on.
import { UsageError } from "../failures.js";
import { bytesOfText } from "../format/utf8.js";

export interface KeyFlags {
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
}

export interface KeyRange {
  readonly key: Uint8Array;
  /** Empty: the one key. One zero byte: without end. */
  readonly rangeEnd: Uint8Array;
}

const ZERO = Uint8Array.of(0);
const EMPTY = new Uint8Array(0);

export function keyRange(key: string, rangeEnd: string | undefined, flags: KeyFlags): KeyRange {
  if (flags.prefix && flags.fromKey) {
    throw new UsageError("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  const isOpen = flags.prefix === true || flags.fromKey === true;
  if (rangeEnd !== undefined) {
    if (!isOpen) return { key: bytesOfText(key), rangeEnd: bytesOfText(rangeEnd) };
    throw new UsageError(
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
    );
  }
  const bytes = bytesOfText(key);
  if (!isOpen) return { key: bytes, rangeEnd: EMPTY };
  if (bytes.length === 0) return { key: ZERO, rangeEnd: ZERO };
  return { key: bytes, rangeEnd: flags.prefix ? prefixEnd(bytes) : ZERO };
}

/** The first key that is after every key with this prefix. */
function prefixEnd(prefix: Uint8Array): Uint8Array {
  let last = prefix.length - 1;
  while (last >= 0 && prefix[last] === 0xff) last -= 1;
  if (last < 0) return ZERO;
  const end = prefix.slice(0, last + 1);
  end[last] = end[last]! + 1;
  return end;
}
