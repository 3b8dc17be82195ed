// What can be checked of the machine before anything on disk changes: the ports, and the place of the data.
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, resolve } from "node:path";
import { LOCK_NAME } from "../../io/directory-lock.js";
import { ListenError } from "../../io/listen-error.js";
import { CommandFailed } from "../failures.js";
import type { ServePlan } from "./serve-plan.js";
import { type HostUrl, listenHost } from "./urls.js";

/** Throws CommandFailed with a sentence that names the port or directory and the way out. */
export async function checkMachine(plan: ServePlan): Promise<void> {
  for (const url of plan.listenClientUrls) await checkPort(url, "clients");
  await checkPort(plan.listenPeerUrl, "members");
  checkDataDir(plan);
}

/** Listens for a moment: the port may be taken between this and the start, which then says the same. */
export async function checkPort(url: HostUrl, what: string): Promise<void> {
  const server = createServer();
  const host = listenHost(url);
  await new Promise<void>((done, fail) => {
    server.once("error", (error) =>
      fail(new CommandFailed(new ListenError(what, host, url.port, error).message)),
    );
    server.listen({ host, port: url.port, exclusive: true }, () => server.close(() => done()));
  });
}

function checkDataDir({ dataDir, isExisting, name }: ServePlan): void {
  let place = resolve(dataDir);
  while (!existsSync(place)) place = dirname(place);
  if (!statSync(place).isDirectory()) {
    throw new CommandFailed(`--data-dir ${dataDir}: ${place} is a file; give a directory`);
  }
  if (isExisting && !hasData(dataDir)) {
    throw new CommandFailed(
      `--data-dir ${dataDir} has no data of ${name}, and joining a cluster that runs is not built yet; ` +
        "start all its members together with --initial-cluster-state new",
    );
  }
  try {
    accessSync(place, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailed(
      `--data-dir ${dataDir}: ${place} is not writable (${code}); let this user write there or give another directory`,
    );
  }
}

/** A lock that a killed process left is none, nor is what a file system has in an empty one that it was mounted at. */
function hasData(dataDir: string): boolean {
  const others: readonly string[] = [LOCK_NAME, "lost+found"];
  return existsSync(dataDir) && readdirSync(dataDir).some((name) => !others.includes(name));
}
