// Joins the parts of one member: the store, the replica, and the etcd face.
import type { Logger } from "pino";
import type { ServePlan } from "./serve-plan.js";

export interface RunningMember {
  /** Resolves when it has a leader and can serve. */
  ready(): Promise<void>;
  /** Resolves when it had to stop by itself. */
  readonly crashed: Promise<Error>;
  /** Hands leadership over, drains, closes. */
  close(): Promise<void>;
}

export async function startMember(_plan: ServePlan, _logger: Logger): Promise<RunningMember> {
  throw new Error("stub");
}
