// The members of `synod dev`: replica i (from 0) listens at the ports given plus 10000 i.
import { join } from "node:path";
import { UsageError } from "../failures.js";

const HOST = "127.0.0.1";
const PORT_STEP = 10_000;
const MAX_PORT = 65_535;

export interface DevFlags {
  readonly replicas: number;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly dataDir: string;
}

export interface DevMember {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** The arguments of its `synod serve`. */
  readonly args: readonly string[];
}

/** Throws UsageError. */
export function planDev({ replicas, clientPort, peerPort, dataDir }: DevFlags): DevMember[] {
  if (replicas < 1) throw new UsageError(`--replicas ${replicas}: a cluster has at least one replica`);
  const last = (replicas - 1) * PORT_STEP;
  for (const [flag, port] of [["--client-port", clientPort] as const, ["--peer-port", peerPort] as const]) {
    if (port < 1) throw new UsageError(`${flag} ${port}: a port is a number from 1 to ${MAX_PORT}`);
    if (port + last <= MAX_PORT) continue;
    throw new UsageError(
      `${flag} ${port}: replica ${replicas} would listen at ${port + last}, and a port is at most ${MAX_PORT}; ` +
        "give fewer --replicas or a lower port",
    );
  }
  const distance = Math.abs(clientPort - peerPort);
  if (distance % PORT_STEP === 0 && distance <= last) {
    throw new UsageError(
      `--client-port ${clientPort} and --peer-port ${peerPort} would meet; give ports that differ in their last four digits`,
    );
  }
  const places = Array.from({ length: replicas }, (_, i) => ({
    name: `replica-${i + 1}`,
    clientUrl: `http://${HOST}:${clientPort + i * PORT_STEP}`,
    peerUrl: `http://${HOST}:${peerPort + i * PORT_STEP}`,
  }));
  const cluster = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
  const clients = places.map(({ name, clientUrl }) => `${name}=${clientUrl}`).join(",");
  const all = ["--initial-cluster", cluster, "--cluster-client-urls", clients];
  return places.map((place) => {
    const own = serveArguments(place, join(dataDir, place.name));
    return { ...place, args: [...own, ...all, "--initial-cluster-token", "synod-dev"] };
  });
}

function serveArguments(place: Omit<DevMember, "args">, dataDir: string): string[] {
  return [
    "serve",
    ...["--name", place.name],
    ...["--data-dir", dataDir],
    ...["--listen-client-urls", place.clientUrl],
    ...["--listen-peer-urls", place.peerUrl],
  ];
}
