// The disk could not do it: of a read, that it cannot read a sector (EIO). It may be able to when it is asked again.

export function ioError(message: string): Error {
  return Object.assign(new Error(`EIO: i/o error, ${message}`), { code: "EIO" });
}

export function isIoError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EIO";
}

/** So many tries, at once: what fails may be a cable or a controller. */
export const READ_TRIES = 3;

/** What `read` brings at one of the tries; rejects as the last one did, or as one that failed otherwise. */
export async function readAgain<T>(read: () => Promise<T>): Promise<T> {
  for (let left = READ_TRIES; ; left -= 1) {
    try {
      return await read();
    } catch (error) {
      if (left <= 1 || !isIoError(error)) throw error;
    }
  }
}
