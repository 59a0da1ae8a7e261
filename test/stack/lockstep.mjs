#!/usr/bin/env node
// `npx lockstep <noun> <verb>`: the operations of query/cli.ts, against the stack that runs in this checkout or the
// one that the environment names.
process.argv.splice(2, 0, "run", "query/cli.ts")
await import("./bootstrap.mjs")
