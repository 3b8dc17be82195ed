// A planted bug: a wrong reading of one rule, as a small change of the compiled code. It says the rule that it breaks,
// never how it can be found. Names are those of the table of known bugs (M) and of the protocol's traps (F).

export interface Edit {
  /** The source whose compiled form is changed, such as `src/paxos/proposer.ts`. */
  readonly file: string;
  /** Occurs exactly once in the compiled form; blanks at the ends of lines do not count. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant extends Edit {
  readonly name: string;
  /** The wrong reading, in one sentence. */
  readonly what: string;
  /** Where one change alone is masked by a second guard of the same rule. */
  readonly also?: readonly Edit[];
}
