// Genesis: equal for everyone who makes it, read back whole, refused when damaged anywhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClusterConfig, clusterIdOf, decodeGenesis, encodeGenesis, makeGenesis } from "./genesis.js";

const config: ClusterConfig = {
  token: "tøken",
  members: [
    { id: 2, address: "b:1" },
    { id: 1, address: "a:1" },
    { id: 3, address: "c:1" },
  ],
  alpha: 64,
  quorum: "majority",
  digestInterval: 1024,
};
const disks = new Map([
  [1, "d1"],
  [2, "d2"],
  [3, "d3"],
]);

test("is the same whatever order the members are named in", () => {
  const other = { ...config, members: [...config.members].reverse() };
  assert.deepEqual(encodeGenesis(makeGenesis(config, disks)), encodeGenesis(makeGenesis(other, disks)));
  assert.equal(clusterIdOf(config), clusterIdOf(other));
  assert.match(clusterIdOf(config), /^[0-9a-f]{16}$/);
});

test("the cluster id differs with everything that must agree", () => {
  const [first, ...rest] = config.members;
  const others: ClusterConfig[] = [
    { ...config, token: "other" },
    { ...config, alpha: 65 },
    { ...config, digestInterval: 1025 },
    { ...config, members: rest },
    { ...config, members: [{ ...first!, address: "b:2" }, ...rest] },
  ];
  const ids = new Set([config, ...others].map(clusterIdOf));
  assert.equal(ids.size, others.length + 1);
});

test("is read back, and no damaged or random bytes are", () => {
  const genesis = makeGenesis(config, disks);
  const bytes = encodeGenesis(genesis);
  assert.deepEqual(decodeGenesis(bytes), genesis);
  for (let i = 0; i < bytes.length; i += 1) {
    const damaged = bytes.slice();
    damaged[i]! ^= 0x10;
    assert.equal(decodeGenesis(damaged), null, `byte ${i}`);
    assert.equal(decodeGenesis(bytes.subarray(0, i)), null, `cut at ${i}`);
  }
  fc.assert(
    fc.property(fc.uint8Array(), (noise) => {
      assert.equal(decodeGenesis(noise), null);
    }),
  );
});
