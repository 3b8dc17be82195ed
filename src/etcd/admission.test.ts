// What is held at once stays within the limits, and every ticket gives back what it took.
import assert from "node:assert/strict";
import test from "node:test";
import { Admission, READ_BYTES, type Ticket } from "./admission.js";

const LIMITS = { maxCalls: 4, maxBytes: 100, maxSlowRequests: 1 };
const source = { bytesRead: 1000 };
const never = (): void => assert.fail("evicted");

test("calls above the limit are refused, and an ended one makes room", () => {
  const admission = new Admission(LIMITS);
  const tickets = [1, 2, 3, 4].map(() => admission.begin(source, never)!);
  assert.equal(admission.begin(source, never), null);
  assert.equal(admission.refused, 1);
  admission.end(tickets[0]!);
  assert.notEqual(admission.begin(source, never), null);
});

test("a request that does not fit is refused, and holds nothing", () => {
  const admission = new Admission(LIMITS);
  const first = admission.begin(source, never)!;
  const second = admission.begin(source, never)!;
  assert.equal(admission.request(first, 60), true);
  assert.equal(admission.request(second, 41), false);
  assert.equal(admission.bytes, 60);
  admission.end(second);
  admission.end(first);
  assert.deepEqual([admission.bytes, admission.calls], [0, 0]);
});

test("a response is never refused, and keeps new calls out until it is sent", () => {
  const admission = new Admission(LIMITS);
  const ticket = admission.begin(source, never)!;
  admission.request(ticket, 10);
  admission.response(ticket, 500);
  assert.equal(admission.bytes, 510);
  assert.equal(admission.begin(source, never), null);
  admission.end(ticket);
  assert.notEqual(admission.begin(source, never), null);
});

test("of the requests that stay incomplete over a sweep the newest are evicted, when they may hold too much", () => {
  const admission = new Admission({ ...LIMITS, maxBytes: 2 * READ_BYTES + 100 });
  const evicted: number[] = [];
  const connections = [{ bytesRead: 1000 }, { bytesRead: 0 }];
  const tickets: Ticket[] = [1, 2, 3, 4].map((i) => {
    return admission.begin(connections[i % 2]!, () => evicted.push(i))!;
  });
  admission.sweep();
  admission.sweep();
  connections[0]!.bytesRead += 50;
  connections[1]!.bytesRead += 50;
  admission.sweep();
  assert.deepEqual(evicted, [], "they hold little, their client is busy");
  connections[1]!.bytesRead += 1;
  admission.request(tickets[1]!, 1);
  admission.sweep();
  assert.deepEqual(evicted, [3, 4]);
  admission.sweep();
  assert.deepEqual(evicted, [3, 4]);
});

test("a request that has just begun is not evicted", () => {
  const admission = new Admission({ ...LIMITS, maxBytes: READ_BYTES + 100 });
  const evicted: number[] = [];
  const connection = { bytesRead: 0 };
  admission.begin(connection, () => evicted.push(1));
  admission.begin(connection, () => evicted.push(2));
  connection.bytesRead += 101;
  admission.sweep();
  assert.deepEqual(evicted, [], "it may be in the middle of a chunk");
  admission.sweep();
  assert.deepEqual(evicted, [2]);
});
