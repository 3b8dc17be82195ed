// Ports of this machine that nobody listens at, below the range from which the system itself takes ports.
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const LOWEST = 10_000;
const HIGHEST = 32_767;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

export function freePort(): Promise<number> {
  return freePorts([0]);
}

/** A port `p` such that `p + offset` is free for every offset. */
export async function freePorts(offsets: readonly number[]): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST - Math.max(...offsets));
    const free = await Promise.all(offsets.map((offset) => isFree(port + offset)));
    if (free.every((each) => each)) return port;
  }
}
