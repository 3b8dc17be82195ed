#!/bin/sh
# Writes src/proto/gen from src/proto/*.proto. Needs protoc (Debian: protobuf-compiler) and, once, npm.
set -eu
cd "$(dirname "$0")"
[ -x node_modules/.bin/protoc-gen-ts_proto ] || npm install --no-audit --no-fund
rm -rf ../src/proto/gen
mkdir -p ../src/proto/gen
protoc --plugin=node_modules/.bin/protoc-gen-ts_proto --proto_path=../src/proto --ts_proto_out=../src/proto/gen \
  --ts_proto_opt=forceLong=bigint,useJsTypeOverride=true,enumsAsLiterals=true,unrecognizedEnum=false \
  --ts_proto_opt=env=both,importSuffix=.js,outputServices=generic-definitions,outputJsonMethods=false \
  ../src/proto/kv.proto ../src/proto/rpc.proto ../src/proto/health.proto

# Three corrections to what ts-proto 2.18.0 writes:
# - it forgets the conversion of JS_NUMBER fields inside a oneof (Compare), which does not type-check;
# - it throws on an int64 beyond 2^53. A client may send the largest int64 as a limit or a revision and must get
#   the answer for a very large one, so such numbers are cut to the largest safe one (no real one comes near).
# - it makes an empty array for each field of bytes of each message; one is enough for all of them.
number='message\.(version|createRevision|modRevision)'
sed -E -i \
  -e "s/asIntN\(64, $number\) !== message\.[A-Za-z]+\)/asIntN(64, BigInt(message.\1)) !== BigInt(message.\1))/" \
  -e "s/\.int64\($number\)/.int64(BigInt(message.\1))/" \
  -e 's/throw new globalThis\.Error\("Value is larger than Number\.MAX_SAFE_INTEGER"\)/return globalThis.Number.MAX_SAFE_INTEGER/' \
  -e 's/throw new globalThis\.Error\("Value is smaller than Number\.MIN_SAFE_INTEGER"\)/return globalThis.Number.MIN_SAFE_INTEGER/' \
  ../src/proto/gen/*.ts
sed -E -i \
  -e 's/new Uint8Array\(0\)/NO_BYTES/g' \
  -e 's/^export const protobufFileName.*$/&\n\nconst NO_BYTES = new Uint8Array(0);/' \
  ../src/proto/gen/kv.ts ../src/proto/gen/rpc.ts
