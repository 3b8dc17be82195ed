// The network over TCP keeps the contract.
import { describe, test } from "node:test";
import { TcpLab } from "../../test/io/tcp-lab.js";
import { NETWORK_CONTRACT } from "../replica/network-contract.js";

describe("tcp network", () => {
  for (const { name, run } of NETWORK_CONTRACT) {
    test(name, async () => {
      const lab = await TcpLab.open();
      try {
        await run(lab);
      } finally {
        await lab.close();
      }
    });
  }
});
