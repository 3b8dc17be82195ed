// Runs a part of an action: what breaks an invariant, or an assertion of the core, breaks the action.
import { AssertionFailed } from "../../base/assert.js";
import { InvariantBroken } from "../ghost.js";
import { Broken } from "./search.js";

export function guarded<T>(action: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof InvariantBroken || error instanceof AssertionFailed) {
      throw new Broken(action, error.message);
    }
    throw error;
  }
}
