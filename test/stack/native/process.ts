// One part of the stack as an operating-system process. Parts run in sessions of their own, so a Ctrl-C in the
// terminal reaches only the parent, which stops them in order. Each running part is written down in run/<name>.json;
// whoever opens the same stack later (a test process, `stack:down`, the next start after a crash) finds it there.
import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { inheritedEnvironment } from "../settings.ts"
import { beganAt, type Identity, isAlive, killGroup, signal } from "./identity.ts"
import { createRecord } from "./record.ts"

/** What has to be known to run a part. `healthy` rejects until it serves. */
export type Program = {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly environment?: Readonly<Record<string, string>>
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly stopSignal: NodeJS.Signals
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
  readonly healthy: () => Promise<void>
}

/** Where parts are written down and where their output goes. */
export type Place = {
  readonly run: string
  readonly logs: string
}

/** A part that can be started, stopped, killed and frozen, from any process that knows the stack's directory. */
export type Part = {
  readonly name: string
  readonly log: string
  /** Starts the part unless it runs, and returns once it serves. */
  readonly start: () => Promise<void>
  /** Asks the part to end, waits, and kills it when it does not. */
  readonly stop: () => Promise<void>
  /** SIGKILL: returns when the process is gone. */
  readonly kill: () => Promise<void>
  /** SIGSTOP and SIGCONT: the part stands still and goes on. */
  readonly freeze: () => Promise<void>
  readonly thaw: () => Promise<void>
  readonly healthy: () => Promise<boolean>
  /** The running process, or undefined. */
  readonly identity: () => Identity | undefined
  /** True when the part was running and nobody asked it to end, and yet it is gone. */
  readonly crashed: () => boolean
}

/** The last lines of a log file, for messages about a part that failed. */
export function lastLines(path: string, count = 20): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-count).join("\n")
  } catch {
    return "(no output)"
  }
}

async function isServing(program: Program): Promise<boolean> {
  try {
    await program.healthy()
    return true
  } catch {
    return false
  }
}

function launch(program: Program, log: string): Identity {
  const output = openSync(log, "a")
  const child = spawn(program.command, program.args, {
    cwd: program.cwd,
    env: { ...inheritedEnvironment(), ...program.environment },
    stdio: ["ignore", output, output],
    detached: true,
    ...program.user,
  })
  closeSync(output)
  child.on("error", () => {})
  child.unref()
  const began = child.pid === undefined ? undefined : beganAt(child.pid)
  if (child.pid === undefined || began === undefined) {
    throw new Error(`${program.name} did not start: ${program.command}\n${lastLines(log)}`)
  }
  return { pid: child.pid, began }
}

async function gone(identity: Identity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false
    await pause(20)
  }
  return true
}

/** A part of the stack from its program; nothing runs before `start`. */
export function createPart(program: Program, place: Place): Part {
  const log = join(place.logs, `${program.name}.log`)
  const record = createRecord(place, program.name)

  const identity = (): Identity | undefined => {
    const written = record.read()
    return written !== undefined && isAlive(written) ? written : undefined
  }

  const served = async (running: Identity): Promise<void> => {
    const deadline = Date.now() + program.startTimeoutMs
    while (!(await isServing(program))) {
      if (!isAlive(running)) throw new Error(`${program.name} ended while starting:\n${lastLines(log)}`)
      if (Date.now() > deadline) {
        throw new Error(`${program.name} did not serve in ${program.startTimeoutMs} ms:\n${lastLines(log)}`)
      }
      await pause(50)
    }
  }

  const end = async (name: NodeJS.Signals, timeoutMs: number): Promise<void> => {
    const running = identity()
    if (running === undefined) return record.remove()
    record.write({ ...running, wanted: false })
    signal(running, name)
    if (name !== "SIGKILL") signal(running, "SIGCONT")
    if (!(await gone(running, timeoutMs))) {
      killGroup(running)
      await gone(running, 10_000)
    }
    record.remove()
  }

  return {
    name: program.name,
    log,
    identity,
    healthy: () => isServing(program),
    start: async () => {
      const running = identity() ?? launch(program, log)
      record.write({ pid: running.pid, began: running.began, wanted: true })
      await served(running)
    },
    stop: () => end(program.stopSignal, program.stopTimeoutMs),
    kill: () => end("SIGKILL", 10_000),
    freeze: async () => {
      const running = identity()
      if (running !== undefined) signal(running, "SIGSTOP")
    },
    thaw: async () => {
      const running = identity()
      if (running !== undefined) signal(running, "SIGCONT")
    },
    crashed: () => {
      const written = record.read()
      return written?.wanted === true && !isAlive(written)
    },
  }
}
