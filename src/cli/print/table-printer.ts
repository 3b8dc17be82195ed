// `--write-out=table`: for lists of members and endpoints; keys and values have no table, as in etcdctl.
import { formatDuration } from "../format/go-duration.js";
import { renderTable } from "../format/text-table.js";
import { MEMBER_HEAD, memberRows, STATUS_HEAD, statusRows } from "./member-rows.js";
import type { ClusterPrinter } from "./printer.js";

const HEALTH_HEAD = ["endpoint", "health", "took", "error"];

export const tablePrinter: ClusterPrinter = {
  memberList: (response) => [renderTable(MEMBER_HEAD, memberRows(response))],
  endpointStatus: (list) => [renderTable(STATUS_HEAD, statusRows(list))],
  endpointHealth: (list) => {
    const rows = list.map((one) => [
      one.endpoint,
      String(one.isHealthy),
      formatDuration(one.took),
      one.error,
    ]);
    return [renderTable(HEALTH_HEAD, rows)];
  },
};
