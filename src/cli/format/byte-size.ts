// Sizes as etcdctl shows them: "20 kB", "1.5 MB"; thousands, one digit behind the point below ten.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

export function formatSize(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3 + 1e-12), UNITS.length - 1);
  const tenths = Math.floor((bytes / 1000 ** power) * 10 + 0.5);
  return `${tenths < 100 ? (tenths / 10).toFixed(1) : halfToEven(tenths)} ${UNITS[power]}`;
}

/** Tenths as a whole number, rounded as Go's "%.0f" does. */
function halfToEven(tenths: number): number {
  const whole = Math.floor(tenths / 10);
  const rest = tenths % 10;
  return rest > 5 || (rest === 5 && whole % 2 === 1) ? whole + 1 : whole;
}
