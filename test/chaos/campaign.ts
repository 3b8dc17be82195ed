// Cycles of load, kill and restart on three real processes. In each, one, two or all are killed at a moment under load,
// with or without a loss of power; some again while they start. What errors their disks report is drawn too, and which
// sectors of one of them cannot be read.
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../src/base/random.js";
import { freePorts } from "../free-port.js";
import { sleep } from "../real/processes.js";
import { BadDisk } from "./bad-disk.js";
import { compare, level } from "./comparison.js";
import { isOfCall, Load, WRITES_PER_CYCLE } from "./load.js";
import { dataDirIn } from "./lossy-disk.js";
import { Member } from "./member.js";
import { Tally } from "./tally.js";

const REPLICAS = 3;
const STEP_WITHIN_MS = 60_000;
/** Each cycle compares so many cycles up to its own; the end compares all. */
const COMPARED_CYCLES = 12;

export interface CampaignPlan {
  readonly cycles: number;
  readonly random: Random;
  /** Holds everything that is made. */
  readonly folder: string;
  readonly program: string;
  readonly library: string;
}

/** Something is wrong: the campaign ends. */
class Broken extends Error {}

export class Campaign {
  readonly tally: Tally;
  readonly #plan: CampaignPlan;
  readonly #random: Random;
  readonly #members: readonly Member[];
  readonly #load: Load;
  readonly #badDisk: BadDisk;
  readonly #onLine: (line: string) => void;
  #wrong: string[];
  #cycle: number;
  #isEnding: boolean;

  private constructor(plan: CampaignPlan, members: readonly Member[], onLine: (line: string) => void) {
    this.tally = new Tally();
    this.#plan = plan;
    this.#random = plan.random;
    this.#members = members;
    this.#onLine = onLine;
    this.#wrong = [];
    this.#cycle = 0;
    this.#isEnding = false;
    this.#load = new Load(members, plan.random.copy(), (sentence) => this.#wrong.push(sentence));
    this.#badDisk = new BadDisk(members, plan.random);
    for (const member of members) {
      member.onReady = (ms) => this.tally.served(ms);
      member.onEnded = (how) => this.#endedByItself(member, how);
    }
  }

  static async open(plan: CampaignPlan, onLine: (line: string) => void): Promise<Campaign> {
    const names = Array.from({ length: REPLICAS }, (_, i) => `r${i + 1}`);
    const ports = await freePorts(Array.from({ length: 2 * REPLICAS }, (_, i) => i));
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    const cluster = names.map((name, i) => `${name}=${url(ports + REPLICAS + i)}`).join(",");
    const members = names.map((name, i) => {
      const dataDir = dataDirIn(join(plan.folder, name));
      const args = [
        ...["--name", name, "--data-dir", dataDir, "--initial-cluster", cluster],
        ...[
          "--listen-client-urls",
          url(ports + i),
          "--heartbeat-interval",
          "20",
          "--election-timeout",
          "200",
        ],
      ];
      const { folder, program, library } = plan;
      return new Member({ name, folder, program, library, clientPort: ports + i, args });
    });
    return new Campaign(plan, members, onLine);
  }

  /** What is wrong, in sentences; it ends with the first cycle that has something wrong. */
  async run(): Promise<readonly string[]> {
    try {
      for (const member of this.#members) member.launch([]);
      await this.#allReady();
      while (this.#cycle < this.#plan.cycles) {
        this.#cycle += 1;
        await this.#runCycle();
        if (this.#wrong.length > 0) return this.#wrong;
        this.tally.cycles += 1;
      }
      for (let from = 1; from <= this.#cycle; from += COMPARED_CYCLES) {
        await this.#compare({ from, to: Math.min(from + COMPARED_CYCLES - 1, this.#cycle) });
      }
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.#wrong.push(error.message);
    } finally {
      const ended = this.#load.end();
      for (const member of this.#members) await member.kill();
      await ended;
      for (const member of this.#members) this.tally.struck(member.newFaults());
      this.tally.count(this.#load);
    }
    return this.#wrong;
  }

  /** What it did and met. */
  lines(): readonly string[] {
    return [...this.tally.lines(), this.#badDisk.line()];
  }

  /** For good: none is launched any more. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#members.map((member) => member.kill()));
  }

  killNow(): void {
    for (const member of this.#members) member.killNow();
  }

  async #runCycle(): Promise<void> {
    const random = this.#random;
    this.#load.begin(this.#cycle);
    const spoilt = this.#badDisk.spoilRunning(this.#cycle);
    const early = 20 + random.below(WRITES_PER_CYCLE - 100);
    await this.#until(`${early} writes are acknowledged`, () => this.#load.inCycle >= early);
    await sleep(random.below(20));
    const victims = shuffled(this.#members, random).slice(0, drawCount(random));
    const told = [...(spoilt === "" ? [] : [`while running ${spoilt}`]), await this.#kill(victims)];
    if (random.below(4) === 0) {
      await sleep(random.below(500));
      told.push(`while starting ${await this.#kill(victims)}`);
      this.tally.killsWhileStarting += 1;
    }
    await this.#allReady();
    await this.#until("enough writes are acknowledged", () => this.#load.inCycle >= WRITES_PER_CYCLE);
    await this.#load.end();
    await this.#compare({ from: Math.max(1, this.#cycle - COMPARED_CYCLES + 1), to: this.#cycle });
    const failed = this.#badDisk.endCycle();
    if (failed > 0) told.push(`${failed} reads failed`);
    this.#say(`cycle ${this.#cycle}: ${told.join(", ")}; ${this.#load.inCycle} acknowledged`);
  }

  /** Kills at once, takes the power or not, launches again; what happened, in words. */
  async #kill(victims: readonly Member[]): Promise<string> {
    const random = this.#random;
    const isLossy = random.below(10) < 6;
    await Promise.all(victims.map((victim) => victim.kill()));
    let lost = "";
    for (const victim of victims) {
      this.tally.struck(victim.newFaults());
      if (!isLossy) continue;
      const { sectors, entries } = victim.losePower(random);
      this.tally.lost(sectors, entries);
      lost += ` ${victim.plan.name} lost ${sectors} sectors and ${entries} names`;
    }
    this.tally.killed(victims.length, REPLICAS, isLossy);
    const spoilt = this.#badDisk.spoilAtRest(victims, this.#cycle);
    for (const victim of victims) {
      if (random.below(3) === 0) await sleep(random.below(100));
      this.#launch(victim, drawFaults(random));
    }
    return `${victims.map(({ plan }) => plan.name).join("+")} killed${isLossy ? `, power lost:${lost}` : ""}${spoilt === "" ? "" : `, ${spoilt}`}`;
  }

  /** Allowed after an error of its disk only; then it comes back at once, and no error waits for it. */
  #endedByItself(member: Member, how: string): void {
    if (this.#isEnding) return;
    const faults = member.newFaults();
    this.tally.struck(faults);
    const error = faults.find((fault) => /^(sync-eio|write-eio|write-enospc) /.test(fault));
    if (error === undefined) {
      this.#wrong.push(
        `${member.plan.name} ended by itself (${how}), and its disk had reported no error:\n${member.output()}`,
      );
      return;
    }
    this.tally.endedByItself += 1;
    const isLossy = this.#random.below(2) === 0;
    if (isLossy) {
      const { sectors, entries } = member.losePower(this.#random);
      this.tally.lost(sectors, entries);
    }
    this.#say(
      `cycle ${this.#cycle}: ${member.plan.name} ended (${how}) at ${error}${isLossy ? ", power lost" : ""}`,
    );
    this.#launch(member, []);
  }

  #launch(member: Member, faults: readonly string[]): void {
    if (!this.#isEnding) member.launch(faults);
  }

  async #allReady(): Promise<void> {
    await this.#until("all serve", () => this.#members.every(({ isReady }) => isReady));
  }

  async #until(what: string, isSo: () => boolean): Promise<void> {
    const end = performance.now() + STEP_WITHIN_MS;
    while (!isSo()) {
      if (this.#wrong.length > 0) throw new Broken(`cycle ${this.#cycle} was given up`);
      if (performance.now() > end) {
        const outputs = this.#members.map((member) => `${member.plan.name}:\n${member.output()}`);
        throw new Broken(`for ${STEP_WITHIN_MS / 1000} s it was not so that ${what}\n${outputs.join("\n")}`);
      }
      await sleep(2);
    }
  }

  /** Again when a replica cannot answer: its disk may just have ended it, or it takes its state from the others. */
  async #compare(cycles: { readonly from: number; readonly to: number }): Promise<void> {
    const reader = this.#members[this.#random.below(REPLICAS)]!;
    const end = performance.now() + STEP_WITHIN_MS;
    for (;;) {
      await this.#allReady();
      try {
        const apart = await level(this.#members, this.#load.highestRevision);
        const wrong = apart === null ? await compare(this.#members, reader, this.#load, cycles) : [apart];
        this.#wrong.push(...wrong);
        return;
      } catch (error) {
        if (!isOfCall(error)) throw error;
        if (performance.now() > end)
          throw new Broken(`a read fails again and again: ${(error as Error).message}`);
        await sleep(200);
      }
    }
  }

  #say(line: string): void {
    appendFileSync(join(this.#plan.folder, "chaos.log"), `${line}\n`);
    this.#onLine(line);
  }
}

/** Mostly one, or all. */
function drawCount(random: Random): number {
  const draw = random.below(20);
  return draw < 8 ? 1 : draw < 12 ? 2 : REPLICAS;
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  return list
    .map((each) => ({ each, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ each }) => each);
}

/** In the words of lossy-disk.c: the n-th operation of a kind. */
function drawFaults(random: Random): string[] {
  const faults: string[] = [];
  const draw = random.below(12);
  if (draw === 0) faults.push(`sync-eio:${1 + random.below(300)}`);
  if (draw === 1) faults.push(`write-eio:${1 + random.below(300)}`);
  if (draw === 2) faults.push(`write-enospc:${1 + random.below(20)}`);
  if (random.below(2) === 0) faults.push(`short-write:${2 + random.below(50)}`);
  if (random.below(3) === 0) faults.push(`slow-sync:${5 + random.below(50)}`);
  return faults;
}

/** A folder for one campaign, and how to remove it. */
export function campaignFolder(parent: string): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(parent, "synod-chaos-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
