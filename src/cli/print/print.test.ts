// Responses in each format, held against what etcdctl 3.4.23 printed for them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../failures.js";
import { bytesOfText } from "../format/utf8.js";
import { clusterPrinter, type Format, formatOf, kvPrinter } from "./formats.js";
import type { Output } from "./printer.js";

const text = (output: Output): string =>
  Buffer.concat(output.map((piece) => Buffer.from(piece as string))).toString("latin1");

const header = {
  clusterId: 10996135960605363362n,
  memberId: 17681153939110656363n,
  revision: 13,
  raftTerm: 2,
};
const JSON_HEADER =
  '"header":{"cluster_id":10996135960605363362,"member_id":17681153939110656363,"revision":13,"raft_term":2}';
const FIELDS_HEADER = `"ClusterID" : 10996135960605363362
"MemberID" : 17681153939110656363
"Revision" : 13
"RaftTerm" : 2
`;
const one = {
  ...{ key: bytesOfText("a"), createRevision: 10, modRevision: 11, version: 2 },
  ...{ value: bytesOfText("3"), lease: 0n },
};
const two = {
  ...{ key: Uint8Array.of(0x6b, 0xff, 0x01, 0x0a), createRevision: 4, modRevision: 4, version: 1 },
  ...{ value: bytesOfText("v<&>"), lease: 8749264856771597675n },
};
const range = { header, kvs: [one, two], more: true, count: 3 };

const SIMPLE = kvPrinter("simple", false);
const JSON_FORMAT = kvPrinter("json", false);
const FIELDS = kvPrinter("fields", false);

test("get", () => {
  assert.equal(text(SIMPLE.get(range, false)), "a\n3\nk\xff\x01\n\nv<&>\n");
  assert.equal(text(SIMPLE.get(range, true)), "3\nv<&>\n");
  assert.equal(
    text(kvPrinter("simple", true).get(range, false)),
    "\\x61\n\\x33\n\\x6b\\xff\\x01\\x0a\n\\x76\\x3c\\x26\\x3e\n",
  );
  assert.equal(
    text(JSON_FORMAT.get(range, false)),
    `{${JSON_HEADER},"kvs":[{"key":"YQ==","create_revision":10,"mod_revision":11,"version":2,"value":"Mw=="},` +
      '{"key":"a/8BCg==","create_revision":4,"mod_revision":4,"version":1,"value":"djwmPg==",' +
      '"lease":8749264856771597675}],"more":true,"count":3}\n',
  );
  assert.equal(
    text(FIELDS.get({ ...range, kvs: [two] }, false)),
    `${FIELDS_HEADER}"Key" : "k\\xff\\x01\\n"
"CreateRevision" : 4
"ModRevision" : 4
"Version" : 1
"Value" : "v<&>"
"Lease" : 8749264856771597675
"More" : true
"Count" : 3
`,
  );
  assert.throws(() => kvPrinter("table", false), new UsageError("table not supported as output format"));
});

test("put and del", () => {
  assert.equal(text(SIMPLE.put({ header, prevKv: undefined })), "OK\n");
  assert.equal(text(SIMPLE.put({ header, prevKv: one })), "OK\na\n3\n");
  assert.equal(
    text(JSON_FORMAT.put({ header, prevKv: one })),
    `{${JSON_HEADER},"prev_kv":{"key":"YQ==","create_revision":10,"mod_revision":11,"version":2,"value":"Mw=="}}\n`,
  );
  assert.equal(text(SIMPLE.del({ header, deleted: 1, prevKvs: [one] })), "1\na\n3\n");
  assert.equal(text(JSON_FORMAT.del({ header, deleted: 0, prevKvs: [] })), `{${JSON_HEADER}}\n`);
  assert.equal(
    text(FIELDS.del({ header, deleted: 1, prevKvs: [one] })),
    `${FIELDS_HEADER}"Deleted" : 1
"PrevKey" : "a"
"PrevCreateRevision" : 10
"PrevModRevision" : 11
"PrevVersion" : 2
"PrevValue" : "3"
"PrevLease" : 0
`,
  );
});

test("txn", () => {
  const inner = { clusterId: 0n, memberId: 0n, revision: 13, raftTerm: 0 };
  const response = {
    header,
    succeeded: true,
    responses: [
      { responseRange: { header: inner, kvs: [one], more: false, count: 1 } },
      { responsePut: { header: inner, prevKv: undefined } },
      { responseDeleteRange: { header: inner, deleted: 0, prevKvs: [] } },
    ],
  };
  assert.equal(text(SIMPLE.txn(response)), "SUCCESS\n\na\n3\n\nOK\n\n0\n");
  assert.equal(text(SIMPLE.txn({ header, succeeded: false, responses: [] })), "FAILURE\n");
  assert.equal(
    text(JSON_FORMAT.txn(response)),
    `{${JSON_HEADER},"succeeded":true,"responses":[{"Response":{"ResponseRange":{"header":{"revision":13},` +
      '"kvs":[{"key":"YQ==","create_revision":10,"mod_revision":11,"version":2,"value":"Mw=="}],"count":1}}},' +
      '{"Response":{"ResponsePut":{"header":{"revision":13}}}},' +
      '{"Response":{"ResponseDeleteRange":{"header":{"revision":13}}}}]}\n',
  );
  assert.match(
    text(FIELDS.txn(response)),
    /^"ClusterID" : 109.*\n.*\n.*\n.*\n"Succeeded" : true\n"ClusterID" : 0\n"MemberID" : 0\n"Revision" : 13\n/,
  );
});

const members = {
  header: { ...header, revision: 0 },
  members: [
    {
      ...{ ID: 17681153939110656363n, name: "default", isLearner: false },
      ...{ peerURLs: ["http://127.0.0.1:44002"], clientURLs: ["http://127.0.0.1:44001"] },
    },
  ],
};

test("member list", () => {
  assert.equal(
    text(clusterPrinter("simple").memberList(members)),
    "f56013d42fb0796b, started, default, http://127.0.0.1:44002, http://127.0.0.1:44001, false\n",
  );
  assert.equal(
    text(clusterPrinter("json").memberList(members)),
    '{"header":{"cluster_id":10996135960605363362,"member_id":17681153939110656363,"raft_term":2},"members":' +
      '[{"ID":17681153939110656363,"name":"default","peerURLs":["http://127.0.0.1:44002"],' +
      '"clientURLs":["http://127.0.0.1:44001"]}]}\n',
  );
  assert.equal(
    text(clusterPrinter("fields").memberList(members)),
    `"ClusterID" : 10996135960605363362
"MemberID" : 17681153939110656363
"Revision" : 0
"RaftTerm" : 2
"ID" : 17681153939110656363
"Name" : "default"
"PeerURL" : "http://127.0.0.1:44002"
"ClientURL" : "http://127.0.0.1:44001"
"IsLearner" : false

`,
  );
  assert.match(
    text(clusterPrinter("table").memberList(members)),
    /\n\| f56013d42fb0796b \| started \| default \| http:\/\/127.0.0.1:44002 \| http:\/\/127.0.0.1:44001 \| +false \|\n/,
  );
});

const status = {
  ...{ header, version: "3.6.0", dbSize: 20480, leader: 17681153939110656363n, raftIndex: 22, raftTerm: 2 },
  ...{ raftAppliedIndex: 21, errors: [], dbSizeInUse: 16384, isLearner: false, storageVersion: "3.6.0" },
  ...{ dbSizeQuota: 0, downgradeInfo: undefined },
};

test("endpoint status", () => {
  const list = [{ endpoint: "127.0.0.1:44001", status }];
  assert.equal(
    text(clusterPrinter("simple").endpointStatus(list)),
    "127.0.0.1:44001, f56013d42fb0796b, 3.6.0, 20 kB, true, false, 2, 22, 21, \n",
  );
  assert.equal(
    text(clusterPrinter("json").endpointStatus(list)),
    `[{"Endpoint":"127.0.0.1:44001","Status":{${JSON_HEADER},"version":"3.6.0","dbSize":20480,` +
      '"leader":17681153939110656363,"raftIndex":22,"raftTerm":2,"raftAppliedIndex":21,"dbSizeInUse":16384}}]\n',
  );
  assert.match(
    text(clusterPrinter("fields").endpointStatus(list)),
    /"RaftAppliedIndex" : 21\n"Errors" : \[\]\n"Endpoint" : "127.0.0.1:44001"\n\n$/,
  );
  assert.equal(text(clusterPrinter("json").endpointStatus([])), "[]\n");
});

test("endpoint health", () => {
  const list = [
    { endpoint: "127.0.0.1:44001", isHealthy: true, took: 2_020_041n, error: "" },
    {
      endpoint: "127.0.0.1:44444",
      isHealthy: false,
      took: 1_001_350_480n,
      error: "context deadline exceeded",
    },
  ];
  const golden: Record<Format, string> = {
    simple: `127.0.0.1:44001 is healthy: successfully committed proposal: took = 2.020041ms
127.0.0.1:44444 is unhealthy: failed to commit proposal: context deadline exceeded
`,
    json:
      '[{"endpoint":"127.0.0.1:44001","health":true,"took":"2.020041ms"},{"endpoint":"127.0.0.1:44444",' +
      '"health":false,"took":"1.00135048s","error":"context deadline exceeded"}]\n',
    fields: `"Endpoint" : "127.0.0.1:44001"
"Health" : true
"Took" : 2.020041ms
"Error" : 

"Endpoint" : "127.0.0.1:44444"
"Health" : false
"Took" : 1.00135048s
"Error" : context deadline exceeded

`,
    table: `+-----------------+--------+-------------+---------------------------+
|    ENDPOINT     | HEALTH |    TOOK     |           ERROR           |
+-----------------+--------+-------------+---------------------------+
| 127.0.0.1:44001 |   true |  2.020041ms |                           |
| 127.0.0.1:44444 |  false | 1.00135048s | context deadline exceeded |
+-----------------+--------+-------------+---------------------------+
`,
  };
  for (const [format, expected] of Object.entries(golden)) {
    assert.equal(text(clusterPrinter(formatOf(format)).endpointHealth(list)), expected);
  }
  assert.throws(() => formatOf("xml"), /^UsageError: unsupported output format/);
});
