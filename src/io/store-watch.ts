// What a store tells whoever keeps its mark, or waits for it.

export interface StoreWatch {
  condemn(reason: string): Promise<void>;
  closed(): Promise<void>;
  /** What is read from now on may end the process; not any more. Never throws. */
  risks?(isUnderWay: boolean): void;
  /** Another slice of something long is done. */
  goesOn?(): void;
}

export const UNWATCHED: StoreWatch = { condemn: () => Promise.resolve(), closed: () => Promise.resolve() };
