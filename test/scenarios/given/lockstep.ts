// Runs `lockstep ..` against a system, as an operator does, in a process of its own.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { System } from "../../support/system.ts"

export type Ran = { code: number | null; out: string; err: string }

const program = fileURLToPath(new URL("../../../query/lockstep.mjs", import.meta.url))

/** Resolves when it has ended, whatever its exit code. */
export async function lockstep(system: System, ...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env.PATH, ...system.queryEnvironment },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let out = ""
  let err = ""
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString()
  })
  await once(child, "close")
  return { code: child.exitCode, out, err }
}
