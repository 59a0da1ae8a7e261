#!/usr/bin/env node
// `lockstep`: the way in to query/cli.ts, in plain JavaScript because it starts where nothing is compiled. In a
// checkout cli.ts stands beside it and tsx loads it; in an image it loads what was compiled. It installs nothing.
import { existsSync } from "node:fs"

const isCheckout = existsSync(new URL("cli.ts", import.meta.url))
if (isCheckout) {
  try {
    const { register } = await import("tsx/esm/api")
    register()
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error
    console.error("This checkout has no node_modules: run npm ci, then lockstep again.")
    process.exit(1)
  }
}
process.setSourceMapsEnabled(true)
await import(isCheckout ? "./cli.ts" : "../dist/query/cli.js")
