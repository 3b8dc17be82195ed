// A second set of records in lmdb, in an area of its own, for a snapshot that replaces everything.
import type { Replacement, StoredRecord } from "../kv/record-store.js";

export class LmdbReplacement implements Replacement {
  readonly area: number;
  readonly #write: (area: number, records: readonly StoredRecord[]) => Promise<void>;
  readonly #forget: (area: number) => Promise<void>;

  constructor(
    area: number,
    write: (area: number, records: readonly StoredRecord[]) => Promise<void>,
    forget: (area: number) => Promise<void>,
  ) {
    this.area = area;
    this.#write = write;
    this.#forget = forget;
  }

  async load(records: readonly StoredRecord[]): Promise<void> {
    await this.#write(this.area, records);
  }

  async abandon(): Promise<void> {
    await this.#forget(this.area);
  }
}
