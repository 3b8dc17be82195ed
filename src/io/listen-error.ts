// Why an address cannot be listened on, in one sentence that names it and the way out.

export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: string;

  constructor(what: string, host: string, port: number, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? "UNKNOWN";
    super(`cannot listen for ${what} at ${host}:${port} (${code}): ${wayOut(code, host, port)}`, { cause });
    this.code = code;
  }
}

function wayOut(code: string, host: string, port: number): string {
  switch (code) {
    case "EADDRINUSE":
      return `another process uses the port: stop it or choose another port (\`ss -ltnp 'sport = :${port}'\` shows it)`;
    case "EACCES":
      return "this user may not use the port: choose one from 1024 on";
    case "EADDRNOTAVAIL":
      return `${host} is no address of this machine: use one that is, or 0.0.0.0 for all`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the name ${host} cannot be resolved: correct it or use an IP address`;
    default:
      return "correct the address";
  }
}
