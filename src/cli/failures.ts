// The two ways in which a command of the program ends badly, and the exit status of each.

/** Wrong usage: exit status 2, the sentence and the usage line on standard error. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The command could not do its work: exit status 1, the sentence on standard error. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}
