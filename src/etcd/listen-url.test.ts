// Listen URLs: what is understood, and that each refusal names the URL and the way out.
import assert from "node:assert/strict";
import test from "node:test";
import { addressText, ListenError, listenErrorOf, parseListenUrl } from "./listen-url.js";

test("URLs that can be listened at", () => {
  assert.deepEqual(parseListenUrl("http://127.0.0.1:2379"), { host: "127.0.0.1", port: 2379 });
  assert.deepEqual(parseListenUrl("http://localhost:0/"), { host: "127.0.0.1", port: 0 });
  assert.deepEqual(parseListenUrl("http://[::1]:2379"), { host: "::1", port: 2379 });
  assert.equal(addressText(parseListenUrl("http://[::1]:2379")), "[::1]:2379");
  assert.equal(addressText(parseListenUrl("http://0.0.0.0:80")), "0.0.0.0:80");
});

for (const url of [
  "",
  "127.0.0.1:2379",
  "http://127.0.0.1",
  "http://:2379",
  "http://127.0.0.1:99999",
  "http://127.0.0.1:2379/path",
  "http://user@127.0.0.1:2379",
  "https://127.0.0.1:2379",
  "unix:///tmp/x.sock",
  "ftp://127.0.0.1:21",
]) {
  test(`${JSON.stringify(url)} is refused with a sentence`, () => {
    assert.throws(
      () => parseListenUrl(url),
      (error) =>
        error instanceof ListenError &&
        error.message.includes(`at ${url}:`) &&
        error.message.endsWith("give a URL like http://127.0.0.1:2379"),
    );
  });
}

test("what the system refuses is told with the flag to change", () => {
  for (const code of ["EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "ENOTFOUND", "EMFILE"]) {
    const cause = Object.assign(new Error("listen failed"), { code });
    const { message } = listenErrorOf({ host: "10.0.0.1", port: 2379 }, cause);
    assert.match(message, /^cannot listen for clients at 10\.0\.0\.1:2379: .*--listen-client-urls$/);
  }
});
