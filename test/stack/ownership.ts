// One process owns a running stack: it starts the parts, watches them and stops them. It is written down like a part,
// so a second start is refused while it lives and `stack:down` knows whom to ask. Parts that a killed owner left
// behind are found in the same place and stopped before anything new starts.
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { beganAt, type Identity, isAlive, killGroup, signal } from "./native/identity.ts"
import { createRecord } from "./native/record.ts"

const ownerName = "owner"

/** The process that owns the stack in this directory, if it runs. */
export function ownerOf(directory: string): Identity | undefined {
  const written = createRecord(originText(directory), ownerName).read()
  return written !== undefined && isAlive(written) ? written : undefined
}

/** Makes this process the owner and stops what an earlier owner left behind; throws while another one lives. */
export async function takeOwnership(directory: string): Promise<() => void> {
  const other = ownerOf(directory)
  if (other !== undefined && other.pid !== process.pid) {
    throw new Error(
      `A stack already runs in ${directory} (process ${other.pid}): stop it first, with Ctrl-C where it runs${
        directory.endsWith(".stack") ? " or with npx lockstep stack down" : ""
      }.`,
    )
  }
  const record = createRecord(originText(directory), ownerName)
  record.write({ pid: process.pid, began: beganAt(process.pid) ?? "", wanted: true })
  rmSync(endpointsFile(directory), { force: true })
  await stopLeftovers(directory)
  return record.remove
}

// The order of the flow: readers of a part stop before the part. What tests have started is not listed and goes first.
const stopOrder = [
  "query",
  "command",
  "connect",
  "kafka",
  "registry",
  "redis",
  "query-database",
  "command-database",
]

/** Stops every part that is written down in this place and still runs; returns their names. */
export async function stopLeftovers(directory: string): Promise<string[]> {
  const place = originText(directory)
  const names = writtenNames(place).sort((a, b) => stopOrder.indexOf(a) - stopOrder.indexOf(b))
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

/** Kills every part that is written down in this place, at once and without a goodbye. */
export function killLeftovers(directory: string): void {
  const place = originText(directory)
  for (const name of writtenNames(place)) {
    const written = createRecord(place, name).read()
    if (written !== undefined) killGroup(written)
  }
}

function writtenNames(place: { readonly run: string }): string[] {
  try {
    const files = readdirSync(place.run).filter((file) => file.endsWith(".json"))
    return files.map((file) => file.slice(0, -".json".length)).filter((name) => name !== ownerName)
  } catch {
    return []
  }
}

/** Asks a process to end; kills it when it does not within the time. */
export async function stopProcess(
  process: Identity,
  name: NodeJS.Signals,
  timeoutMs = 30_000,
): Promise<void> {
  signal(process, name)
  signal(process, "SIGCONT")
  const deadline = Date.now() + timeoutMs
  while (isAlive(process)) {
    if (Date.now() > deadline) signal(process, "SIGKILL")
    await pause(20)
  }
}

/** Where the endpoints of the stack in this directory are written. */
export const endpointsFile = (directory: string): string => join(directory, "endpoints.json")

const originText = (directory: string) => ({ run: join(directory, "run") })
