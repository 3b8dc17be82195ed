// The URLs of settings: http://host:port, each fault in a sentence that names the setting.
import { UsageError } from "../failures.js";
import { tlsRefusal } from "./settings.js";

export interface HostUrl {
  /** As given, without a slash at the end. */
  readonly text: string;
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
}

export function parseUrl(text: string, source: string): HostUrl {
  if (/^(?:https|unixs):/.test(text)) throw new UsageError(tlsRefusal(`${source} ${text}`));
  const [, host, port] = /^http:\/\/(\[[\da-fA-F:.%\w]+\]|[\w.-]+):(\d{1,5})\/?$/.exec(text) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535 || Number(port) === 0) {
    throw new UsageError(
      `${source}: "${text}" is no URL for it; write http://host:port with a port up to 65535`,
    );
  }
  return { text: text.replace(/\/$/, ""), host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

/** Parts of a list with commas between, at least one. */
export function parseUrls(text: string, source: string): HostUrl[] {
  const urls = text
    .split(",")
    .map((part) => part.trim())
    .map((part) => parseUrl(part, source));
  const twice = urls.find((url, i) => urls.findIndex((other) => other.text === url.text) !== i);
  if (twice !== undefined) throw new UsageError(`${source} names ${twice.text} twice; leave one of them out`);
  return urls;
}

/** True for an address that means every interface: nobody can be told to come there. */
export function isWildcard(url: HostUrl): boolean {
  return url.host === "0.0.0.0" || url.host === "::";
}

/** `host:port`, as a replica dials it. */
export function addressOf(url: HostUrl, host: string = url.host): string {
  return host.includes(":") ? `[${host}]:${url.port}` : `${host}:${url.port}`;
}

/** Where to listen for it. localhost is 127.0.0.1 alone, as in etcd: clients try that first. */
export function listenHost(url: HostUrl): string {
  return url.host === "localhost" ? "127.0.0.1" : url.host;
}
