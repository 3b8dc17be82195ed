// Lists that are filled and emptied again and again, and keep their room.

/** One by one, for a list whose length is set to 0 gives its room back, and asks for as much with the next entry. */
export function empty(list: unknown[]): void {
  while (list.length > 0) list.pop();
}
