// The scenarios of test/scenarios/*.txt: commands, `----`, and the trace they give. `UPDATE=1 npm test` rewrites the
// traces; read the difference before you keep it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Script } from "./cluster/script.js";

const FOLDER = join(import.meta.dirname, "..", "..", "test", "scenarios");

/** Runs every stanza of `text` and returns it with the traces that they give now. */
function replay(text: string): string {
  const script = new Script();
  const stanzas = text.trim().split(/\n{2,}/);
  const replayed = stanzas.map((stanza) => {
    const [head = ""] = stanza.split(/^----$/m);
    const lines = head.trim().split("\n");
    const commands = lines
      .map((line) => line.replace(/(^|\s+)#.*$/, "").trim())
      .filter((line) => line !== "");
    if (commands.length === 0) return head.trim();
    return [head.trim(), "----", ...script.run(commands)].join("\n");
  });
  return `${replayed.join("\n\n")}\n`;
}

for (const name of readdirSync(FOLDER).sort()) {
  test(`scenario ${name}`, () => {
    const path = join(FOLDER, name);
    const text = readFileSync(path, "utf8");
    const replayed = replay(text);
    if (process.env.UPDATE === "1") writeFileSync(path, replayed);
    else assert.equal(replayed, text);
  });
}
