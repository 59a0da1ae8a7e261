// One process owns a running stack: it starts the parts, watches them and stops them. It is written down like a part,
// so a second start is refused while it lives and `stack:down` knows whom to ask. Parts that a killed owner left
// behind are found in the same place and stopped before anything new starts.
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { beganAt, type Identity, isAlive, signal } from "./native/identity.ts"
import type { Part, Place } from "./native/process.ts"
import { createRecord } from "./native/record.ts"

const ownerName = "owner"

/** The process that owns the stack in this directory, if it runs. */
export const ownerOf = (place: Pick<Place, "run">): Identity | undefined => {
  const written = createRecord(place, ownerName).read()
  return written !== undefined && isAlive(written) ? written : undefined
}

/** Makes this process the owner and stops what an earlier owner left behind; throws while another one lives. */
export const takeOwnership = async (place: Pick<Place, "run">, directory: string): Promise<() => void> => {
  const other = ownerOf(place)
  if (other !== undefined && other.pid !== process.pid) {
    throw new Error(
      `A stack already runs in ${directory} (process ${other.pid}): stop it with Ctrl-C there, or with npm run stack:down.`,
    )
  }
  mkdirSync(place.run, { recursive: true })
  const record = createRecord(place, ownerName)
  record.write({ pid: process.pid, began: beganAt(process.pid) ?? "", wanted: true })
  await stopLeftovers(place)
  return record.remove
}

// The order of the flow: readers of a part stop before the part.
const stopOrder = ["query", "command", "connect", "kafka", "registry", "redis"]

/** Stops every part that is written down in this place and still runs; returns their names. */
export const stopLeftovers = async (place: Pick<Place, "run">): Promise<string[]> => {
  const names = writtenNames(place).sort((a, b) => rank(a) - rank(b))
  const stopped: string[] = []
  for (const name of names) {
    const record = createRecord(place, name)
    const written = record.read()
    if (written !== undefined && isAlive(written)) {
      record.write({ ...written, wanted: false })
      await stopProcess(written, name.endsWith("-database") ? "SIGINT" : "SIGTERM")
      stopped.push(name)
    }
    record.remove()
  }
  return stopped
}

const rank = (name: string): number => (stopOrder.includes(name) ? stopOrder.indexOf(name) : stopOrder.length)

const writtenNames = (place: Pick<Place, "run">): string[] => {
  try {
    const files = readdirSync(place.run).filter((file) => file.endsWith(".json"))
    return files.map((file) => file.slice(0, -".json".length)).filter((name) => name !== ownerName)
  } catch {
    return []
  }
}

/** Asks a process to end; kills it when it does not within the time. */
export const stopProcess = async (
  process: Identity,
  name: NodeJS.Signals,
  timeoutMs = 20_000,
): Promise<void> => {
  signal(process, name)
  signal(process, "SIGCONT")
  const deadline = Date.now() + timeoutMs
  while (isAlive(process)) {
    if (Date.now() > deadline) signal(process, "SIGKILL")
    await pause(20)
  }
}

/** Resolves with the first part that ends without having been asked to; rejects never. */
export const firstCrash = (parts: readonly Part[], stopWatching: AbortSignal): Promise<Part> =>
  new Promise((resolve) => {
    const look = () => {
      const crashed = parts.find((part) => part.crashed())
      if (crashed === undefined) return
      clearInterval(timer)
      resolve(crashed)
    }
    const timer = setInterval(look, 250)
    stopWatching.addEventListener("abort", () => clearInterval(timer))
  })

/** Where the endpoints of the stack in this directory are written. */
export const endpointsFile = (directory: string): string => join(directory, "endpoints.json")
