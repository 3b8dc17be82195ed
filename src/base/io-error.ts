// The disk could not do it: of a read, that it cannot read a sector (EIO). It may be able to when it is asked again.

export function ioError(message: string): Error {
  return Object.assign(new Error(`EIO: i/o error, ${message}`), { code: "EIO" });
}

export function isIoError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EIO";
}
