// Whom a replica lets in: the checks of a hello, and the memory of the runs met, which notices a data directory
// that was restored from an older copy or copied and started twice (best effort; disk ids guard the votes).
import type { ReplicaId } from "../paxos/ballot.js";
import type { Hello, Sighting } from "./handshake.js";

/** Disks remembered for one replica: more come only when someone wipes it again and again. */
const MAX_DISKS = 8;

interface SeenRun {
  incarnation: number;
  run: number;
  /** A second run with this incarnation was told of: neither is let in before one starts anew. */
  twice: boolean;
}

export class Admission {
  readonly #self: Sighting & { readonly clusterId: string };
  readonly #isMember: (replica: ReplicaId) => boolean;
  readonly #seen: Map<ReplicaId, Map<string, SeenRun>>;

  constructor(self: Sighting & { readonly clusterId: string }, isMember: (replica: ReplicaId) => boolean) {
    this.#self = self;
    this.#isMember = isMember;
    this.#seen = new Map();
  }

  /** Why `hello` is refused, in words for both sides' logs; null: it may come in. `dialled` 0: it dialled us. */
  refusal(hello: Hello, dialled: ReplicaId, address: string): string | null {
    const { clusterId, replica, run } = this.#self;
    const who = `replica ${replica} refuses replica ${hello.replica} (${address})`;
    if (hello.replica === replica) {
      return hello.run === run
        ? `replica ${replica} dialled itself at ${address}: give every member its own peer address`
        : `replica ${replica} met another replica ${replica} (${address}): stop one of the two, every replica needs its own id`;
    }
    if (hello.clusterId !== clusterId) {
      return `${who}: its cluster id is ${hello.clusterId}, not ${clusterId}: start all replicas with the same members and token, restored ones from the same snapshot, or correct the peer address`;
    }
    if (!this.#isMember(hello.replica)) {
      return `${who}: it is not a member of this cluster: list it in the members of every replica, or stop it`;
    }
    if (dialled !== 0 && hello.replica !== dialled) {
      return `${who}: replica ${dialled} was expected at that address: correct the peer addresses in the list of members`;
    }
    if (hello.to !== 0 && hello.to !== replica) {
      return `${who}: it was looking for replica ${hello.to}: correct the peer addresses in its list of members`;
    }
    return this.#runRefusal(hello, who);
  }

  #runRefusal(hello: Sighting, who: string): string | null {
    const seen = this.#seen.get(hello.replica)?.get(hello.diskId);
    if (seen === undefined || hello.incarnation > seen.incarnation) return null;
    if (hello.incarnation < seen.incarnation) {
      return `${who}: it runs with incarnation ${hello.incarnation}, but ${seen.incarnation} was seen: its data directory is an older copy: restore nothing, replace the replica by one with a new id`;
    }
    if (hello.run !== seen.run || seen.twice) {
      return `${who}: two processes run with incarnation ${hello.incarnation} from copies of one data directory: stop both, delete the copy, start the other again`;
    }
    return null;
  }

  /** Remembers the run of a hello that was not refused. */
  admit(hello: Sighting): void {
    this.#note(hello);
  }

  /** Learns what another replica has met; the words of the fault when it shows a directory that runs twice. */
  told(sighting: Sighting): string | null {
    if (!this.#isMember(sighting.replica)) return null;
    if (sighting.replica === this.#self.replica) return this.#toldOfSelf(sighting);
    const seen = this.#seen.get(sighting.replica)?.get(sighting.diskId);
    if (seen === undefined || sighting.incarnation > seen.incarnation) {
      this.#note(sighting);
      return null;
    }
    if (sighting.incarnation < seen.incarnation || sighting.run === seen.run) return null;
    const first = !seen.twice;
    seen.twice = true;
    return first ? twiceText(sighting) : null;
  }

  #toldOfSelf(sighting: Sighting): string | null {
    const { diskId, incarnation, run } = this.#self;
    if (sighting.diskId !== diskId || sighting.run === run || sighting.incarnation < incarnation) return null;
    return twiceText(sighting);
  }

  /** Everything met so far, to be told to a replica that has just been linked. */
  sightings(): Sighting[] {
    const all: Sighting[] = [];
    for (const [replica, disks] of this.#seen) {
      for (const [diskId, { incarnation, run }] of disks) all.push({ replica, diskId, incarnation, run });
    }
    return all;
  }

  #note({ replica, diskId, incarnation, run }: Sighting): void {
    let disks = this.#seen.get(replica);
    if (disks === undefined) {
      disks = new Map();
      this.#seen.set(replica, disks);
    }
    const seen = disks.get(diskId);
    if (seen?.incarnation === incarnation) return;
    disks.delete(diskId);
    disks.set(diskId, { incarnation, run, twice: false });
    for (const oldest of disks.keys()) {
      if (disks.size <= MAX_DISKS) break;
      disks.delete(oldest);
    }
  }
}

function twiceText({ replica, incarnation }: Sighting): string {
  return `replica ${replica} runs twice, from copies of one data directory (incarnation ${incarnation}): stop both processes, delete the copy, start the other again`;
}
