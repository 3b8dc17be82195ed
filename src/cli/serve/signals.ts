// How a long-running command is asked to stop: SIGTERM, SIGINT or SIGHUP for an orderly stop, a second SIGINT
// for one at once, and the end of the channel to the process that started it.

/** Exit status of a process that SIGINT ended. */
const INTERRUPTED = 130;

/** Resolves with the reason for an orderly stop; `atOnce` runs before a second SIGINT ends the process. */
export function stopAsked(atOnce: () => void = () => {}): Promise<string> {
  return new Promise((resolve) => {
    let interrupts = 0;
    process.on("SIGINT", () => {
      interrupts += 1;
      if (interrupts > 1) {
        atOnce();
        process.exit(INTERRUPTED);
      }
      resolve("SIGINT");
    });
    process.on("SIGTERM", () => resolve("SIGTERM"));
    process.on("SIGHUP", () => resolve("SIGHUP"));
    process.on("disconnect", () => resolve("the end of the process that started it"));
  });
}
