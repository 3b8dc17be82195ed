// Scenarios as text: what is written of a seed is read back as the same schedule, and runs the same.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { drawSchedule } from "./draw-schedule.js";
import { simulate } from "./run.js";
import { parseScenario, ScenarioFormatError, scenarioText } from "./scenario-text.js";

const drain = () => new Promise<void>((resolve) => setImmediate(resolve));

test("the scenario of a seed is read back the same, and is the run of that seed", async () => {
  for (const seed of [3, 1_764_000_000_123]) {
    const schedule = drawSchedule(seed, 5000);
    const { schedule: read, breaks } = parseScenario(scenarioText({ schedule, breaks: "x:\n y" }));
    assert.deepEqual([read, breaks], [schedule, "x: y"]);
    const run = await simulate({ schedule, drain });
    const again = await simulate({ schedule: read, drain });
    assert.equal(run.violation, null);
    assert.deepEqual([again.hash, again.operations], [run.hash, run.operations]);
  }
});

test("the example of docs/verification.md is a scenario", () => {
  const document = readFileSync(new URL("../../../docs/verification.md", import.meta.url), "utf8");
  const { schedule, breaks } = parseScenario(/```text\n(breaks[\s\S]*?)```/.exec(document)![1]!);
  assert.deepEqual([schedule.faults.length, schedule.operations.length, schedule.healing], [1, 2, null]);
  assert.match(breaks!, /^linearizableRead: /);
});

const HEADER = [
  "breaks nothing",
  "seed 7",
  "replicas 5",
  "damages 2 3",
  "ends 2.000 s",
  "goes-on 0.000 s",
  "heals never",
];

function withLines(...lines: string[]): string {
  return [...HEADER, ...lines].join("\n");
}

test("a scenario by hand: blanks and comments do not count, and lines may stand in any order", () => {
  const text = withLines(
    "",
    "# here it begins",
    "1.500 s   kill 200 ms  seed 7",
    "  1.200 s client 1 at 2: get k3\r",
  );
  assert.deepEqual(parseScenario(text), {
    schedule: {
      seed: 7,
      replicas: 5,
      damageable: [2, 3],
      end: 2000,
      goesOn: 0,
      healing: null,
      faults: [{ at: 1500, fault: "kill", duration: 200, seed: 7 }],
      operations: [{ at: 1200, client: 1, replica: 2, request: { kind: "get", key: "k3" } }],
    },
    breaks: null,
  });
});

test("what is not a scenario is told with its line", () => {
  const cases: [string, RegExp][] = [
    ["", /^there is no line that begins with /],
    [HEADER.slice(1).join("\n"), /^there is no line that begins with breaks$/],
    [withLines("seed 8"), /^line 8: seed is there twice$/],
    [withLines("colour red"), /^line 8: neither a time such as 12\.345 s nor one of breaks, seed, /],
    [withLines("12.3 s kill 1 ms seed 7"), /^line 8: neither a time/],
    [withLines("9999.000 s kill 1 ms seed 7"), /^line 8: 9999\.000 s is more than an hour$/],
    [withLines("1.000 s kill"), /^line 8: neither an operation such as .* nor a fault such as /],
    [withLines("1.000 s rain 1 ms seed 7"), /^line 8: there is no fault rain; there are .*kill/],
    [withLines("1.000 s client 0 at 1: get k"), /^line 8: client 0: must be from 1 to 100$/],
    [withLines("1.000 s client 1 at 1: take k"), /^line 8: take where local, get, put, delete may stand$/],
    [withLines("1.000 s client 1 at 6: get k"), /^replica 6 is named, and there are 5$/],
    [HEADER.join("\n").replace("ends 2.000 s", "ends soon"), /^line 5: ends soon: must be a time/],
    [HEADER.join("\n").replace("2 3", "two"), /^line 4: damages two: must be ids of replicas/],
    [HEADER.join("\n").replace("heals never", "heals"), /^line 7: neither a time/],
    [HEADER.join("\n").replace("seed 7", "seed 1e3"), /^line 2: seed 1e3: must be a whole number$/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseScenario(text), { name: ScenarioFormatError.name, message }, text);
  }
});
