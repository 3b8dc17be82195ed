// Compares Synod with a real etcd; everything is in `test/etcd`.
await import("../dist/test/etcd/main.js");
