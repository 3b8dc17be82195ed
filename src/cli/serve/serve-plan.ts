// From settings to what is to run: every member with its replica id and its address. It looks at nothing but the
// settings, so that a fault in them changes nothing on disk.
import { UsageError } from "../failures.js";
import { type Given, SETTINGS, type SettingName, type Settings } from "./settings.js";
import { type HostUrl, isWildcard, parseUrl, parseUrls } from "./urls.js";

export interface Member {
  readonly name: string;
  readonly peerUrl: HostUrl;
  /** Empty when this member was not told them. */
  readonly clientUrls: readonly HostUrl[];
}

type Peer = Pick<Member, "name" | "peerUrl">;

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "json" | "console";

export interface ServePlan {
  readonly name: string;
  /** From 1: the place of the name among all names in order. */
  readonly replica: number;
  /** By replica id, from 1. */
  readonly members: readonly Member[];
  readonly token: string;
  readonly dataDir: string;
  readonly listenClientUrls: readonly HostUrl[];
  readonly advertiseClientUrls: readonly HostUrl[];
  readonly listenPeerUrl: HostUrl;
  /** True when the settings say that this member has its data already. */
  readonly isExisting: boolean;
  /** Milliseconds. */
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly logLevel: LogLevel;
  /** Null: console on a terminal, else json. */
  readonly logFormat: LogFormat | null;
}

const STANDARD_PEER_URL = "http://localhost:2380";
/** etcd's limit. */
const MAX_ELECTION_MS = 50_000;
const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Throws UsageError with a sentence that names the setting and the way out. */
export function planServe(settings: Settings): ServePlan {
  const get = (name: SettingName): Given => settings.get(name) ?? standardOf(name);
  const name = get("name").text;
  if (/[,=]/.test(name) || name === "") {
    throw new UsageError(
      `${get("name").source}: "${name}" cannot be a name; leave out commas and equals signs`,
    );
  }
  const listenClientUrls = parseUrls(get("listen-client-urls").text, get("listen-client-urls").source);
  const advertiseClientUrls = advertisedOf(settings, listenClientUrls);
  const peers = peersOf(settings, name);
  const clientUrls = clientUrlsOf(settings.get("cluster-client-urls"), peers);
  clientUrls.set(name, advertiseClientUrls);
  const members = peers.map((peer) => ({ ...peer, clientUrls: clientUrls.get(peer.name) ?? [] }));
  const own = members.find((member) => member.name === name)!;
  const listenPeerUrl = listenPeerUrlOf(settings, own.peerUrl);
  const shared = listenClientUrls.find((url) => isSamePlace(url, listenPeerUrl));
  if (shared !== undefined) {
    throw new UsageError(
      `${shared.text} is to serve both clients and members; give --listen-client-urls another port`,
    );
  }
  return {
    ...{ name, members, replica: members.indexOf(own) + 1, token: get("initial-cluster-token").text },
    dataDir: settings.get("data-dir")?.text ?? `${name}.synod`,
    listenClientUrls,
    advertiseClientUrls,
    listenPeerUrl,
    isExisting: stateOf(get("initial-cluster-state")) === "existing",
    ...timesOf(get("heartbeat-interval"), get("election-timeout")),
    logLevel: logLevelOf(get("log-level")),
    logFormat: logFormatOf(settings.get("log-format")),
  };
}

function standardOf(name: SettingName): Given {
  const setting = SETTINGS.find((one) => one.name === name);
  return { text: setting?.standard ?? "", source: `--${name}` };
}

/** One peer URL: a replica has one address. */
function onePeerUrl(given: Given): HostUrl {
  const [url, second] = parseUrls(given.text, given.source);
  if (url !== undefined && second === undefined) return url;
  throw new UsageError(
    `${given.source} names more than one URL; a member of Synod has one, leave the others out`,
  );
}

function peersOf(settings: Settings, name: string): Peer[] {
  const given = settings.get("initial-cluster");
  const advertised = settings.get("initial-advertise-peer-urls");
  const listened = settings.get("listen-peer-urls");
  if (given === undefined) {
    const peerUrl = onePeerUrl(
      advertised ?? listened ?? { text: STANDARD_PEER_URL, source: "--listen-peer-urls" },
    );
    refuseWildcard(peerUrl, (advertised ?? listened)?.source ?? "", "--initial-advertise-peer-urls");
    return [{ name, peerUrl }];
  }
  const members = parsePeers(given);
  const own = members.find((member) => member.name === name);
  if (own === undefined) {
    const names = members.map((member) => member.name).join(", ");
    throw new UsageError(
      `${given.source} names ${names} but not "${name}", this member; add it there or give another --name`,
    );
  }
  if (advertised !== undefined && onePeerUrl(advertised).text !== own.peerUrl.text) {
    throw new UsageError(
      `${given.source} has ${name} at ${own.peerUrl.text}, but ${advertised.source} says ${advertised.text}; ` +
        "make the two the same",
    );
  }
  return members;
}

/** The members of `name=url,name=url`, by their names in order: the replica ids are counted off along it. */
function parsePeers(given: Given): Peer[] {
  const members = given.text.split(",").map((part): Peer => {
    const { name, url: peerUrl } = parsePart(part, given.source);
    refuseWildcard(peerUrl, `${given.source} of ${name}`, "an address there");
    return { name, peerUrl };
  });
  members.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  members.forEach((member, i) => {
    const sameName = members[i - 1]?.name === member.name;
    if (sameName) {
      throw new UsageError(
        `${given.source} names "${member.name}" twice; give each member a name of its own`,
      );
    }
    const other = members.slice(0, i).find((one) => one.peerUrl.text === member.peerUrl.text);
    if (other === undefined) return;
    throw new UsageError(
      `${given.source} gives ${other.name} and ${member.name} one URL, ${member.peerUrl.text}; ` +
        "give each member a URL of its own",
    );
  });
  return members;
}

function parsePart(part: string, source: string): { name: string; url: HostUrl } {
  const [, name, url] = /^\s*([^=]+)=(.*?)\s*$/.exec(part) ?? [];
  if (name === undefined || url === undefined) {
    throw new UsageError(`${source}: "${part}" is no member; write name=http://host:port`);
  }
  return { name, url: parseUrl(url, `${source} of ${name}`) };
}

/** A member may stand there more than once, with another URL each time. */
function clientUrlsOf(given: Given | undefined, peers: readonly Peer[]): Map<string, readonly HostUrl[]> {
  const urls = new Map<string, readonly HostUrl[]>();
  for (const part of given?.text.split(",") ?? []) {
    const { name, url } = parsePart(part, given!.source);
    if (!peers.some((peer) => peer.name === name)) {
      throw new UsageError(
        `${given!.source} names "${name}", which is no member; leave it out or correct it`,
      );
    }
    urls.set(name, [...(urls.get(name) ?? []), url]);
  }
  return urls;
}

function refuseWildcard(url: HostUrl, source: string, wayOut: string): void {
  if (!isWildcard(url)) return;
  throw new UsageError(`${source}: ${url.text} is no address that others can reach; give ${wayOut}`);
}

function isSamePlace(a: HostUrl, b: HostUrl): boolean {
  return a.port === b.port && (a.host === b.host || isWildcard(a) || isWildcard(b));
}

function listenPeerUrlOf(settings: Settings, own: HostUrl): HostUrl {
  const given = settings.get("listen-peer-urls");
  return given === undefined ? own : onePeerUrl(given);
}

function advertisedOf(settings: Settings, listened: readonly HostUrl[]): readonly HostUrl[] {
  const given = settings.get("advertise-client-urls");
  const urls = given === undefined ? listened : parseUrls(given.text, given.source);
  for (const url of urls) {
    refuseWildcard(url, given?.source ?? "--listen-client-urls", "--advertise-client-urls");
  }
  return urls;
}

function stateOf(given: Given): "new" | "existing" {
  if (given.text === "new" || given.text === "existing") return given.text;
  throw new UsageError(`${given.source}: "${given.text}" is no state; give new or existing`);
}

function milliseconds(given: Given): number {
  const value = Number(given.text);
  if (/^\d+$/.test(given.text) && value > 0 && value <= MAX_ELECTION_MS) return value;
  throw new UsageError(
    `${given.source}: "${given.text}" is no time; give milliseconds, from 1 to ${MAX_ELECTION_MS}`,
  );
}

function timesOf(heartbeat: Given, election: Given): { heartbeatMs: number; electionMs: number } {
  const heartbeatMs = milliseconds(heartbeat);
  const electionMs = milliseconds(election);
  if (electionMs >= 5 * heartbeatMs) return { heartbeatMs, electionMs };
  throw new UsageError(
    `${election.source} is ${electionMs} ms; make it at least five times ${heartbeat.source}, ${5 * heartbeatMs} ms`,
  );
}

function logLevelOf(given: Given): LogLevel {
  const level = LOG_LEVELS.find((known) => known === given.text);
  if (level !== undefined) return level;
  throw new UsageError(`${given.source}: "${given.text}" is no level; give one of ${LOG_LEVELS.join(", ")}`);
}

function logFormatOf(given: Given | undefined): LogFormat | null {
  if (given === undefined) return null;
  if (given.text === "json" || given.text === "console") return given.text;
  throw new UsageError(`${given.source}: "${given.text}" is no format; give json or console`);
}
