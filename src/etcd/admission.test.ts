// What is held at once stays within the limits, and every ticket gives back what it took.
import assert from "node:assert/strict";
import test from "node:test";
import { Admission, type Ticket } from "./admission.js";

const LIMITS = { maxCalls: 3, maxBytes: 100, maxSlowRequests: 1 };
const never = (): void => assert.fail("evicted");

test("calls above the limit are refused, and an ended one makes room", () => {
  const admission = new Admission(LIMITS);
  const tickets = [1, 2, 3].map(() => admission.begin(never)!);
  assert.equal(admission.begin(never), null);
  assert.equal(admission.refused, 1);
  admission.end(tickets[0]!);
  assert.notEqual(admission.begin(never), null);
});

test("a request that does not fit is refused, and holds nothing", () => {
  const admission = new Admission(LIMITS);
  const first = admission.begin(never)!;
  const second = admission.begin(never)!;
  assert.equal(admission.request(first, 60), true);
  assert.equal(admission.request(second, 41), false);
  assert.equal(admission.bytes, 60);
  admission.end(second);
  admission.end(first);
  assert.deepEqual([admission.bytes, admission.calls], [0, 0]);
});

test("a response is never refused, and keeps new calls out until it is sent", () => {
  const admission = new Admission(LIMITS);
  const ticket = admission.begin(never)!;
  admission.request(ticket, 10);
  admission.response(ticket, 500);
  assert.equal(admission.bytes, 510);
  assert.equal(admission.begin(never), null);
  admission.end(ticket);
  assert.notEqual(admission.begin(never), null);
});

test("of the requests that stay incomplete over ten sweeps the newest are evicted", () => {
  const admission = new Admission(LIMITS);
  const evicted: number[] = [];
  const tickets: Ticket[] = [1, 2, 3].map((i) => admission.begin(() => evicted.push(i))!);
  for (let i = 0; i < 10; i += 1) admission.sweep();
  assert.deepEqual(evicted, [], "their client may be busy");
  admission.request(tickets[1]!, 1);
  admission.sweep();
  assert.deepEqual(evicted, [3]);
  admission.sweep();
  assert.deepEqual(evicted, [3]);
});
