// The scenarios of test/simulated/: what was left of seeds that broke, with a bug planted or by one of our own. None
// breaks any more, and each is written as the simulator would write it today.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runSchedule } from "../src/cli/sim/seed-outcome.js";
import { parseScenario, scenarioText } from "../src/sim/scenario-text.js";

const FOLDER = join(import.meta.dirname, "..", "..", "test", "simulated");

for (const name of readdirSync(FOLDER).sort()) {
  test(`simulated ${name}`, async () => {
    const text = readFileSync(join(FOLDER, name), "utf8");
    const scenario = parseScenario(text);
    const { breaks, schedule } = scenario;
    assert.notEqual(breaks, null, "it says what it broke");
    assert.ok(text.endsWith(scenarioText(scenario)), "it is written as it is read");
    assert.match(text, /^# Found with .+ planted: .+\.$|^# Found by seed .+: .+\.$/m);
    const { violation } = await runSchedule(schedule);
    assert.equal(violation, null);
  });
}
