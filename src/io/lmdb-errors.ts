// What lmdb's errors mean. Rule: only damage is called damage, for a store that is called so is set aside.
import { StoreCorrupt } from "../kv/record-store.js";

/**
 * lmdb's numbers for: page not found, damaged, panic, other version, not a store, cursor or page full, a transaction
 * that met one of them, a problem that it has no name for.
 */
const CODES_OF_DAMAGE: readonly unknown[] = [
  -30797, -30796, -30795, -30794, -30793, -30787, -30786, -30782, -30779,
];

/** Where a transaction fails, every write in it is told so, and why it failed is told by a promise. */
export async function reasonOf(error: unknown): Promise<unknown> {
  try {
    await (error as { commitError?: Promise<void> }).commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}

export function isOfDamage(error: unknown): boolean {
  return CODES_OF_DAMAGE.includes((error as { code?: unknown }).code);
}

export function damaged(error: unknown): StoreCorrupt {
  const text = `the store cannot be read (${(error as Error).message}); this replica's store must be rebuilt`;
  return new StoreCorrupt(text, { cause: error });
}

/** How long a failed transaction may take to reject everything that hangs on it. */
const ABANDONED_MS = 1_000;

/**
 * Beside those of the writes lmdb makes promises that nobody is given, and rejects them, too, when a transaction fails:
 * for a moment these must not end the process. Call it before the turn of the failure ends.
 */
export function excuseAbandonedWrites(): void {
  const judge = (reason: unknown) => {
    if ((reason as { commitError?: unknown } | null)?.commitError === undefined) throw reason;
  };
  process.on("unhandledRejection", judge);
  setTimeout(() => process.off("unhandledRejection", judge), ABANDONED_MS);
}
