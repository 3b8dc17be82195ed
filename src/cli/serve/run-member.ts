// The life of one member in this process: started, ready, asked to stop, ended.
import { CommandFailed } from "../failures.js";
import { openLogger } from "./logger.js";
import type { ServePlan } from "./serve-plan.js";
import { stopAsked } from "./signals.js";
import { startMember } from "./start-member.js";

/** What a server tells the process that started it over the channel between them. */
export interface ReadyMessage {
  readonly kind: "ready";
}

/** An orderly stop that takes longer is given up. */
const STOP_MS = 10_000;

export async function runMember(plan: ServePlan): Promise<void> {
  const logger = openLogger(plan);
  const stop = stopAsked();
  const member = await startMember(plan, logger);
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
  if (isReady) {
    const urls = plan.advertiseClientUrls.map((url) => url.text).join(", ");
    console.log(`ready: ${plan.name} serves clients at ${urls}`);
    process.send?.({ kind: "ready" } satisfies ReadyMessage);
  }
  const end = await ended;
  if ("error" in end) throw new CommandFailed(end.error.message);
  logger.info({}, `stopping: ${end.reason}`);
  const deadline = setTimeout(() => {
    logger.error({}, `the orderly stop took over ${STOP_MS / 1000} s and was given up`);
    process.exit(1);
  }, STOP_MS);
  await member.close();
  clearTimeout(deadline);
  logger.info({}, "stopped");
}
