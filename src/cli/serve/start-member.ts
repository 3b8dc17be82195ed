// Joins the parts of one member: the store in its data directory, the replica, and the etcd face on it.
import type { Logger } from "pino";
import { ListenError as ClientListenError, type EtcdServer, startEtcdServer } from "../../etcd/server.js";
import { createReplica, DataDirectoryError, ListenError } from "../../index.js";
import { openKv } from "../../io/kv-opening.js";
import { UnknownStoreFormat } from "../../kv/record-store.js";
import { CommandFailed } from "../failures.js";
import type { ServePlan } from "./serve-plan.js";
import { addressOf, listenHost } from "./urls.js";

export interface RunningMember {
  /** Resolves when it has a leader and can serve. */
  ready(): Promise<void>;
  /** Resolves when it had to stop by itself. */
  readonly crashed: Promise<Error>;
  /** Ends the client port, hands leadership over, drains and closes. */
  close(): Promise<void>;
}

/**
 * Resolves when it listens, with or without a quorum; with null when it was stopped before. Throws CommandFailed for
 * what an operator can mend, and `StateCorrupt` for what a new start mends.
 */
export async function startMember(
  plan: ServePlan,
  logger: Logger,
  stop: Promise<unknown>,
): Promise<RunningMember | null> {
  let hasStarted = false;
  const early: (() => void)[] = [];
  const replica = createReplica({
    id: plan.replica,
    members: Object.fromEntries(plan.members.map(({ peerUrl }, i) => [i + 1, addressOf(peerUrl)])),
    listen: addressOf(plan.listenPeerUrl, listenHost(plan.listenPeerUrl)),
    dataDir: plan.dataDir,
    machine: (dataDir, tell) => openKv(dataDir, { isAlone: plan.members.length === 1, tell }),
    token: plan.token,
    heartbeatMs: plan.heartbeatMs,
    electionMs: plan.electionMs,
    logger: {
      info: (fields, text) => logger.info(fields, text),
      // What goes wrong with the start is told once, as the reason why this process ends; without room it waits.
      warn: (fields, text) => {
        if (hasStarted || replica.status().isOutOfSpace) logger.warn(fields, text);
        else early.push(() => logger.warn(fields, text));
      },
      error: (fields, text) => hasStarted && logger.error(fields, text),
    },
  });
  try {
    // On a full disk it waits, as long as nobody stops it.
    const isStopped = await Promise.race([replica.started().then(() => false), stop.then(() => true)]);
    if (isStopped) {
      await replica.close();
      return null;
    }
    hasStarted = true;
    for (const tell of early) tell();
    const { clusterId } = replica.status();
    const server = await startEtcdServer({
      replica,
      name: plan.name,
      clusterId,
      members: () => memberInfos(plan),
      listenClientUrls: plan.listenClientUrls.map((url) => url.text),
      electionMs: plan.electionMs,
      onBug: (error, path) => logger.error({ error }, `${path} failed`),
    });
    const [clients, members] = [server.addresses.join(", "), addressOf(plan.listenPeerUrl)];
    logger.info(
      { clusterId, replica: plan.replica },
      `listens for clients at ${clients}, for members at ${members}`,
    );
    return {
      ready: () => replica.ready(),
      crashed: replica.crashed,
      close: () => closeBoth(server, replica),
    };
  } catch (error) {
    await replica.close();
    throw mendable(error, plan.dataDir);
  }
}

/** The replica first hands leadership over, so that clients who are told to go find another one to go to. */
async function closeBoth(server: EtcdServer, replica: { close(): Promise<void> }): Promise<void> {
  await Promise.all([server.close(), replica.close()]);
}

function memberInfos(
  plan: ServePlan,
): { id: number; name: string; peerUrls: string[]; clientUrls: string[] }[] {
  return plan.members.map(({ name, peerUrl, clientUrls }, i) => ({
    id: i + 1,
    name,
    peerUrls: [peerUrl.text],
    clientUrls: clientUrls.map((url) => url.text),
  }));
}

function mendable(error: unknown, dataDir: string): unknown {
  if (error instanceof ListenError || error instanceof ClientListenError)
    return new CommandFailed(error.message);
  if (error instanceof UnknownStoreFormat) {
    return new CommandFailed(`--data-dir ${dataDir}, store: ${error.message}`);
  }
  const isOfDisk = error instanceof Error && "syscall" in error;
  if (!(error instanceof DataDirectoryError || isOfDisk)) return error;
  return new CommandFailed(`--data-dir ${dataDir}: ${error.message}`);
}
