// What an operator is told of a replica that takes no part yet, or never will.

/** An empty directory was met by a cluster that knows another one for this replica (2.8). */
export const NEW_DISK =
  "the replica's disk is new, so that it never votes nor serves: its id must be replaced";

export const NO_ROOM =
  "the disk is full (no room to open the data directory): the start waits; free some room";
