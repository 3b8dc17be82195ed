// `synod status DIR`: what is in a data directory; it changes nothing, and checks only what it has to read.
import { Command } from "commander";
import type { Inspection } from "../../io/inspect/inspect-directory.js";
import { UsageError } from "../failures.js";
import { formatSize } from "../format/byte-size.js";
import { inspected, onlyArgument } from "./directory-argument.js";

const FORMATS = ["simple", "json"];

export function statusCommand(): Command {
  const command = new Command("status")
    .description("Shows what is in the data directory of a member that is stopped")
    .usage("<dir> [--write-out=json]")
    .argument("[dir]")
    .allowExcessArguments()
    .addHelpText("after", "\nOf members that run, `synod endpoint status` tells the status.");
  return command.action(async () => {
    const { writeOut } = command.optsWithGlobals<{ writeOut: string }>();
    if (!FORMATS.includes(writeOut))
      throw new UsageError("status prints simple or json; give no other --write-out");
    const path = onlyArgument(command.args);
    const found = await inspected(path, false);
    console.log(writeOut === "json" ? JSON.stringify(asJson(found)) : asText(found));
    if (found.findings.length > 0) {
      const count = found.findings.length;
      console.error(`${count} ${count === 1 ? "thing is" : "things are"} wrong with it: synod check ${path}`);
      process.exitCode = 1;
    }
  });
}

function asJson({ identity, genesis, log, state, snapshots, leftOver, findings, notes }: Inspection): object {
  return { identity, genesis, log, state, snapshots, leftOver, notes, findings };
}

function asText(found: Inspection): string {
  const rows: [string, string][] = [...whoRows(found), ...logRows(found), ...stateRows(found)];
  for (const { name, bytes, slot } of found.snapshots)
    rows.push([name, `slot ${slot}, ${formatSize(bytes)}`]);
  for (const { file, text } of found.leftOver) rows.push([`left over: ${file}`, text]);
  const width = Math.max(...rows.map(([title]) => title.length));
  return rows.map(([title, text]) => `${title.padEnd(width)}  ${text}`).join("\n");
}

function whoRows({ identity, genesis }: Inspection): [string, string][] {
  const rows: [string, string][] = [];
  if (identity !== null) {
    rows.push(["cluster id", identity.clusterId], ["replica", String(identity.replica)]);
    rows.push(["disk id", identity.diskId], ["starts (incarnation)", String(identity.incarnation)]);
  }
  if (identity?.restored !== undefined) {
    rows.push([
      "restored",
      `from the state after slot ${identity.restored.slot} in the snapshot ${identity.restored.sum}`,
    ]);
  }
  if (genesis === null) return [...rows, ["members", "not known: it has not met the others yet"]];
  const members = genesis.members.map(({ id, diskId }) => `${id} (disk ${diskId})`).join(", ");
  return [...rows, ["members", members], ["token", genesis.token]];
}

function logRows({ log }: Inspection): [string, string][] {
  if (log === null) return [["log", "cannot be read"]];
  const bytes = log.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const count = log.segments.length;
  const [first, last] = [log.segments[0], log.segments.at(-1)];
  const names = first === undefined ? "" : `, ${first.name}${count === 1 ? "" : ` to ${last!.name}`}`;
  const round = Math.floor(log.promised / 65_536);
  return [
    [
      "promised",
      log.promised === 0
        ? "nothing"
        : `ballot ${log.promised} (round ${round}, replica ${log.promised % 65_536})`,
    ],
    ["log", `${count} ${count === 1 ? "segment" : "segments"}, ${formatSize(bytes)}${names}`],
    ["compacted up to", `slot ${log.compactedUpTo}`],
    ["chosen up to", `slot ${log.chosenUpTo}`],
    ["last slot", `slot ${log.lastSlot}`],
    ["stopped in good order", log.closedInOrder ? "yes" : "no"],
  ];
}

function stateRows({ state }: Inspection): [string, string][] {
  if (state === null) return [["state", "cannot be read"]];
  if (state.kind === "snapshots") {
    const text =
      state.slot === 0 ? "in no snapshot: all of it comes from the log" : `slot ${state.slot}, in a snapshot`;
    return [["state", text]];
  }
  return [
    ["state", `slot ${state.slot}, in the store`],
    ["revision", String(state.revision)],
    ["compacted revision", String(Math.max(0, state.compactRevision))],
    ["keys", String(state.keys)],
    ["digest", state.noted === null ? "none noted" : `${state.noted.digest} after slot ${state.noted.slot}`],
    ["store", formatSize(state.bytes)],
  ];
}
