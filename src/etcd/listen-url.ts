// A URL to listen at for clients, as `--listen-client-urls` gives it, and what is said when it cannot be used.

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** The address cannot be listened at: one sentence that names it and the way out. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code = "LISTEN";
}

/** Throws `ListenError`. */
export function parseListenUrl(url: string): ListenAddress {
  const bad = (why: string): ListenError =>
    new ListenError(`cannot listen for clients at ${url}: ${why}; give a URL like http://127.0.0.1:2379`);
  if (url.startsWith("https://")) throw bad("TLS is not supported yet");
  if (url.startsWith("unix://")) throw bad("unix sockets are not supported");
  const match = /^http:\/\/(\[[0-9a-fA-F:.%]+\]|[^/:?#@\s]+):(\d{1,5})\/?$/.exec(url);
  if (match === null) throw bad("it is not http://HOST:PORT");
  const port = Number(match[2]);
  if (port > 65535) throw bad("a port is at most 65535");
  const host = match[1]!.replace(/^\[|\]$/g, "");
  // Go, and so every client's expectation of etcd, means IPv4 by it.
  return { host: host === "localhost" ? "127.0.0.1" : host, port };
}

/** `127.0.0.1:2379`, `[::1]:2379`. */
export function addressText({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function listenErrorOf(address: ListenAddress, error: NodeJS.ErrnoException): ListenError {
  return new ListenError(`cannot listen for clients at ${addressText(address)}: ${wayOut(error)}`);
}

function wayOut(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "the port is in use; stop the program that uses it, or choose another with --listen-client-urls";
    case "EACCES":
      return "this user may not use that port; choose one above 1023 with --listen-client-urls";
    case "EADDRNOTAVAIL":
      return "this machine has no such address; choose one that it has with --listen-client-urls";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name is not known; give an IP address with --listen-client-urls";
    default:
      return `${error.message}; choose another address with --listen-client-urls`;
  }
}
