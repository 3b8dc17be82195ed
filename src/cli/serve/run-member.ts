// The life of one member in this process: started, ready, asked to stop, ended. A member that finds its store damaged
// ends and is started again in the same process, which sets the store aside: that needs no supervisor, and is the way
// that any next start takes.
import type { Logger } from "pino";
import { StateCorrupt } from "../../index.js";
import { CommandFailed } from "../failures.js";
import { openLogger } from "./logger.js";
import type { ServePlan } from "./serve-plan.js";
import { stopAsked } from "./signals.js";
import { type RunningMember, startMember } from "./start-member.js";

/** What a server tells the process that started it over the channel between them. */
export interface ReadyMessage {
  readonly kind: "ready";
}

/** An orderly stop that takes longer is given up. */
const STOP_MS = 10_000;
/** A disk that damages so many stores within an hour is not worth another one. */
const MOST_REPAIRS = 3;
const REPAIRS_WITHIN_MS = 3_600_000;

export async function runMember(plan: ServePlan): Promise<void> {
  const logger = openLogger(plan);
  const stop = stopAsked();
  const repairs: number[] = [];
  const announceOnce = announcement(plan);
  while (true) {
    const damage = await runUntilDamaged(plan, logger, stop, announceOnce);
    if (damage === null) break;
    const since = performance.now() - REPAIRS_WITHIN_MS;
    if (repairs.filter((at) => at > since).length >= MOST_REPAIRS) {
      throw new CommandFailed(
        `--data-dir ${plan.dataDir}: the store was damaged ${MOST_REPAIRS + 1} times within an hour, the last time ` +
          `like this: ${damage.message}; check the disk and the memory of this machine, then start again`,
      );
    }
    repairs.push(performance.now());
    logger.warn({ error: damage }, "the store is damaged: this member starts again, and is rebuilt");
  }
  logger.info({}, "stopped");
}

function announcement(plan: ServePlan): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    const urls = plan.advertiseClientUrls.map((url) => url.text).join(", ");
    console.log(`ready: ${plan.name} serves clients at ${urls}`);
    process.send?.({ kind: "ready" } satisfies ReadyMessage);
  };
}

/** One life of the member; resolves with the damage that ended it, null: it was asked to stop. */
async function runUntilDamaged(
  plan: ServePlan,
  logger: Logger,
  stop: Promise<string>,
  onReady: () => void,
): Promise<StateCorrupt | null> {
  let member: RunningMember | null;
  try {
    member = await startMember(plan, logger, stop);
  } catch (error) {
    if (error instanceof StateCorrupt) return error;
    throw error;
  }
  if (member === null) {
    logger.info({}, `stopped before it had started: ${await stop}`);
    return null;
  }
  const ended = Promise.race([
    stop.then((reason) => ({ reason })),
    member.crashed.then((error) => ({ error })),
  ]);
  // Not ready means stopped before it was: `crashed` has the reason.
  const ready = member.ready().then(
    () => true,
    () => false,
  );
  const isReady = await Promise.race([ready, ended.then(() => false)]);
  if (isReady) onReady();
  const end = await ended;
  const damage = "error" in end && end.error instanceof StateCorrupt ? end.error : null;
  if ("reason" in end) logger.info({}, `stopping: ${end.reason}`);
  else if (damage === null) throw new CommandFailed(end.error.message);
  const deadline = setTimeout(() => {
    logger.error({}, `the orderly stop took over ${STOP_MS / 1000} s and was given up`);
    process.exit(1);
  }, STOP_MS);
  await member.close();
  clearTimeout(deadline);
  return damage;
}
