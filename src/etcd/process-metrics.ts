// The process in Prometheus' usual names, read when scraped: no timers and no observers, unlike the library's own.
import { readdir } from "node:fs/promises";
import { Counter, Gauge, type Registry } from "prom-client";

export function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time, user and system.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const memory = (name: string, help: string, field: "rss" | "heapUsed" | "external"): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(process.memoryUsage()[field]);
      },
    });
  };
  memory("process_resident_memory_bytes", "Resident memory.", "rss");
  memory("nodejs_heap_size_used_bytes", "JavaScript heap in use.", "heapUsed");
  memory("nodejs_external_memory_bytes", "Buffers.", "external");
  const start = new Gauge({ name: "process_start_time_seconds", help: "Start, since the epoch.", registers });
  start.set(Date.now() / 1000 - process.uptime());
  if (process.platform !== "linux") return;
  new Gauge({
    name: "process_open_fds",
    help: "Open files and sockets.",
    registers,
    async collect() {
      this.set((await readdir("/proc/self/fd")).length);
    },
  });
}
