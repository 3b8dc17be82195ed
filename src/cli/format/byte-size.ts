// Sizes as etcdctl shows them: "20 kB", "1.5 MB"; thousands, one digit behind the point below ten.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

export function formatSize(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3 + 1e-12), UNITS.length - 1);
  const value = Math.floor((bytes / 1000 ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[power]}`;
}
