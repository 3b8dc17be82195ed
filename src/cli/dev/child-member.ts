// One member of `synod dev` as a process of its own. The channel to it ends with this process, however that
// ends, and the member stops when the channel does.
import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { DevMember } from "./dev-plan.js";

const PROGRAM = fileURLToPath(new URL("../../../../bin/synod.js", import.meta.url));

export interface ChildEnd {
  readonly member: DevMember;
  /** "exit status 1" or "SIGKILL". */
  readonly how: string;
}

export class ChildMember {
  readonly member: DevMember;
  readonly #process: ChildProcess;
  /** Resolves when it serves. */
  readonly ready: Promise<void>;
  readonly ended: Promise<ChildEnd>;

  /** `onLine` gets each line that it writes. */
  constructor(member: DevMember, logLevel: string, onLine: (line: string) => void) {
    this.member = member;
    this.#process = fork(PROGRAM, [...member.args, "--log-level", logLevel, "--log-format", "console"], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: withoutSettings(process.env),
    });
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      createInterface({ input: stream }).on("line", onLine);
    }
    this.ready = new Promise((resolve) => this.#process.once("message", () => resolve()));
    this.ended = new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => {
        resolve({ member, how: signal ?? `exit status ${code}` });
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  signal(name: "SIGTERM" | "SIGKILL"): void {
    this.#process.kill(name);
  }
}

/** The members are told everything by flags; a variable meant for another server must not reach them. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("SYNOD_")));
}

/** The command that starts a member again by hand. */
export function restartCommand(member: DevMember): string {
  return `node ${PROGRAM} ${member.args.join(" ")}`;
}
