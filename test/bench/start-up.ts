// How long `npm start` takes until both services are ready, measured from outside: a copy of this checkout in a
// directory of its own, first with nothing installed and nothing stored, then again with what the first start left.
// Downloads come through npm, Maven and pip as these are set up on the machine, with whatever their caches hold.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { projectDirectory } from "../stack/layout.ts"
import { farDirectory } from "../stack/native/postgres-home.ts"
import { pickFreePort } from "../stack/ports.ts"
import type { Progress } from "../stack/progress.ts"
import { inheritedEnvironment } from "../stack/settings.ts"
import { type ArmResult, oneMinuteLoad } from "./result.ts"
import { median } from "./statistics.ts"

const limitMs = 300_000
const pollMs = 50

/** `quick` skips the first start: the installed parts of this checkout are copied too. */
export const measureStartUp = async (
  { quick }: { quick: boolean },
  progress: Progress,
): Promise<ArmResult> => {
  const laterStarts = quick ? 1 : 2
  const directory = mkdtempSync(join(tmpdir(), "lockstep-bench-"))
  const load = [oneMinuteLoad()]
  try {
    copyCheckout(directory)
    if (quick) {
      for (const installed of ["node_modules", "connectors/jars"]) {
        cpSync(join(projectDirectory, installed), join(directory, installed), {
          recursive: true,
          verbatimSymlinks: true,
        })
      }
    }
    const first = await progress.step("first start", () => startAndStop(directory))
    const later: number[] = []
    for (let n = 0; n < laterStarts; n++) {
      later.push(await progress.step("later start", () => startAndStop(directory)))
    }
    load.push(oneMinuteLoad())
    const firstNote = quick ? "installed already, nothing stored" : "nothing installed, nothing stored"
    return {
      arm: "start",
      configuration: { quick, laterStarts },
      measures: [
        { what: "first start, until ready", value: first, unit: "s", note: firstNote },
        {
          what: "later start, until ready",
          value: median(later),
          unit: "s",
          note: later.map((seconds) => seconds.toFixed(1)).join(", "),
        },
      ],
      checked: "both services answer /readyz with 200",
      load,
      samples: { firstSeconds: [first], laterSeconds: later },
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
    rmSync(farDirectory({ directory: join(directory, ".stack") }), { recursive: true, force: true })
  }
}

/** The files that git knows or would add, as they are now. */
const copyCheckout = (directory: string): void => {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
  const { stdout, status } = spawnSync("git", args, { cwd: projectDirectory, encoding: "utf8" })
  if (status !== 0) throw new Error("The checkout cannot be copied: git does not list its files.")
  for (const file of stdout.split("\0").filter((name) => name !== "")) {
    cpSync(join(projectDirectory, file), join(directory, file), { recursive: true })
  }
}

/** @returns seconds from the command to the moment when both services are ready. */
const startAndStop = async (directory: string): Promise<number> => {
  const taken = new Set<number>()
  const ports = [await pickFreePort(taken), await pickFreePort(taken)]
  const began = performance.now()
  // What `npm start` runs. Not through npm, which does not pass a signal on to it.
  const child = spawn(process.execPath, ["test/stack/bootstrap.mjs", "start"], {
    cwd: directory,
    env: {
      ...inheritedEnvironment(),
      COMMAND_PORT: String(ports[0]),
      QUERY_PORT: String(ports[1]),
      STACK: "native",
    },
    stdio: ["ignore", "ignore", "inherit"],
  })
  const exited = once(child, "exit")
  try {
    while (!(await allReady(ports))) {
      if (child.exitCode !== null) throw new Error(`The start ended with exit code ${child.exitCode}.`)
      if (performance.now() - began > limitMs) throw new Error("The system was not ready in five minutes.")
      await pause(pollMs)
    }
    return (performance.now() - began) / 1_000
  } finally {
    await end(child, exited)
  }
}

const end = async (child: ChildProcess, exited: Promise<unknown>): Promise<void> => {
  if (child.exitCode !== null) return
  child.kill("SIGTERM")
  await exited
}

const allReady = async (ports: readonly number[]): Promise<boolean> => {
  for (const port of ports) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (!ready) return false
  }
  return true
}
