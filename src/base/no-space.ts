// Errors that say that a disk is full, whoever made them: they have the code of the system for it.

/** Of the disk, or of what its user may have of it. */
const CODES: readonly unknown[] = ["ENOSPC", "EDQUOT"];

export function isNoSpace(error: unknown): error is Error {
  return CODES.includes((error as { code?: unknown } | null)?.code);
}

export function noSpace(text: string, cause?: unknown): Error {
  return Object.assign(new Error(`ENOSPC: ${text}`, { cause }), { code: "ENOSPC" });
}
