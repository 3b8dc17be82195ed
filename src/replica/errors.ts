// The caller's errors: each with a stable `code`, and each saying what became of the command.

/** Too much waits already: nothing was proposed; try again later. */
export class Overloaded extends Error {
  override readonly name = "Overloaded";
  readonly code = "OVERLOADED";
}

/** The disk is full and the command may make the state larger: nothing was proposed; deletions are taken. */
export class NoSpace extends Error {
  override readonly name = "NoSpace";
  readonly code = "NO_SPACE";
}

/** The command may or may not be executed: the wait for it ended (timeout, abort, stop). */
export class OutcomeUnknown extends Error {
  override readonly name = "OutcomeUnknown";
  readonly code = "OUTCOME_UNKNOWN";
}

/** The replica is closed or closing: nothing was proposed. */
export class Closed extends Error {
  override readonly name = "Closed";
  readonly code = "CLOSED";
}

/** No quorum answered in time; a read has no outcome, it may be repeated. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
  readonly code = "UNAVAILABLE";
}

/** The machine threw: the command had no effect that the machine did not make before throwing. */
export class CommandRefused extends Error {
  override readonly name = "CommandRefused";
  readonly code = "COMMAND_REFUSED";
}
