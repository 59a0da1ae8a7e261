// The way in to every stack command, in plain JavaScript because nothing may be installed yet. Looks for the programs
// that must be there, installs node_modules when they are older than the lock file, then goes on in TypeScript in this
// same process, so that there is one process to signal and one exit code.
import { spawn, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { delimiter, dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { complaints } from "./prerequisites.mjs"

const project = resolve(dirname(fileURLToPath(import.meta.url)), "../..")

// npm's own record of what it installed lists the lock file's packages, without those of other platforms.
const isInstalled = () => {
  const installed = join(project, "node_modules/.package-lock.json")
  if (!existsSync(installed)) return false
  const wanted = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")).packages
  const present = JSON.parse(readFileSync(installed, "utf8")).packages
  return Object.entries(wanted).every(([path, { version, optional }]) =>
    path === "" || (optional && !present[path]) ? true : present[path]?.version === version,
  )
}

const install = () =>
  new Promise((done) => {
    console.log("Installing node_modules (npm ci) ...")
    const began = Date.now()
    const npm = spawn("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: project,
      stdio: "inherit",
    })
    const stop = (signal) => npm.kill(signal)
    process.on("SIGINT", stop).on("SIGTERM", stop)
    npm.on("error", () => done(1))
    npm.on("exit", (code) => {
      process.off("SIGINT", stop).off("SIGTERM", stop)
      if (code === 0) console.log(`  ok  npm ci in ${((Date.now() - began) / 1000).toFixed(1)} s`)
      done(code ?? 130)
    })
  })

const answerOf = (command, ...args) => {
  const { error, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" })
  return error === undefined ? `${stdout}${stderr}` : undefined
}

const has = (command) =>
  (process.env.PATH ?? "").split(delimiter).some((directory) => existsSync(join(directory, command)))

// A command that only looks at a stack or stops one needs none of these programs, and installs nothing.
const isLooking = ["down", "status", "logs", "env", "reset"].includes(process.argv[2] ?? "")
// A check starts no stack, so it needs no Java.
if (!isLooking && process.argv[2] !== "check") {
  const machine = { nodeVersion: process.versions.node, stack: process.env.STACK, answerOf, has }
  const missing = complaints(machine)
  for (const complaint of missing) console.error(complaint)
  if (missing.length > 0) process.exit(1)
}
if (isLooking && !existsSync(join(project, "node_modules/tsx"))) {
  console.error("This checkout has no node_modules: run npm ci, then the command again.")
  process.exit(1)
}
if (!isLooking && !isInstalled()) {
  const code = await install()
  if (code !== 0) {
    console.error("npm ci did not finish: see its message above, mend it and run the command again.")
    process.exit(code)
  }
}
const { register } = await import("tsx/esm/api")
register()
const { main } = await import("./main.ts")
// Not exitCode: a step that was given up may still hold a connection open.
process.exit(await main(process.argv.slice(2)))
