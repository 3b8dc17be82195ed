// The log of a server, on standard error: JSON lines, or readable ones on a terminal; written at once and in
// this thread, so that the last lines of a process that dies are there.
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { ServePlan } from "./serve-plan.js";

const STDERR = 2;

export function openLogger(plan: Pick<ServePlan, "name" | "logLevel" | "logFormat">): Logger {
  const isTerminal = process.stderr.isTTY === true;
  const options = {
    level: plan.logLevel,
    base: { member: plan.name },
    serializers: { error: pino.stdSerializers.err },
  };
  if ((plan.logFormat ?? (isTerminal ? "console" : "json")) === "json") {
    return pino(
      { ...options, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ fd: STDERR, sync: true }),
    );
  }
  const readable = pretty({
    destination: STDERR,
    sync: true,
    colorize: isTerminal,
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "member",
    errorLikeObjectKeys: ["error"],
    singleLine: true,
  });
  return pino(options, readable);
}
