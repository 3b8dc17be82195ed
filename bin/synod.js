#!/usr/bin/env node
// The program `synod`; everything is in `dist/src/cli`, which `npm run build` makes.
import { existsSync } from "node:fs";

const main = new URL("../dist/src/cli/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error("synod is not built here: run `npm install` and `npm run build` in its folder first");
  process.exitCode = 1;
}
