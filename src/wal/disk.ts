// The port of the log to a disk: one flat directory of files. The hot path (write, sync) is by callback, so
// that a simulator runs it without promises; opening and recovery are by promise. `disk-contract.ts` tests it.

export interface Disk {
  /** Names of the files in the directory, sorted. */
  list(): Promise<string[]>;
  /** Whole content; rejects when there is no such file. A failure with code EIO is for `unreadable.ts`. */
  read(name: string): Promise<Uint8Array>;
  /** Opens for reading and writing; `create`: a new, empty file, which must not exist. */
  open(name: string, create: boolean): Promise<DiskFile>;
  /** Atomic; replaces `to`. Durable after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Makes creations, renames and removals durable. */
  syncDirectory(): Promise<void>;
}

export type DiskCallback = (error: Error | null) => void;

export interface DiskFile {
  readonly name: string;
  size(): Promise<number>;
  /** Up to `length` bytes from `position`, fewer only at the end of the file; perhaps in `into`, which has so many. */
  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  /** Writes all of `bytes`; not durable before `sync`. `bytes` must not change until it is done. */
  write(position: number, bytes: Uint8Array, done: DiskCallback): void;
  /** fdatasync: what was written before the call is durable when it is done. A failure is final. */
  sync(done: DiskCallback): void;
  close(): Promise<void>;
}
