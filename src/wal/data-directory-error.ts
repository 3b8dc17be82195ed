// The refusal to start on a data directory that cannot be trusted: it says what is wrong, where, and what to do.
// Whoever throws it has changed nothing on disk.

export class DataDirectoryError extends Error {
  override readonly name = "DataDirectoryError";
  readonly code = "DATA_DIRECTORY";
}
