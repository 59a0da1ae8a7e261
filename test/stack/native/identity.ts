// Which process a pid means. A pid alone may have been given to a stranger since it was written down; together with
// the time at which the process began it names one process for ever, so no stranger is ever signalled.
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { platform } from "node:os"

/** A process: its pid and a token for the moment it began, as the system tells it. */
export type Identity = {
  readonly pid: number
  readonly began: string
}

/** The token for a running process, or undefined when there is none or only its zombie. */
export const beganAt = (pid: number): string | undefined =>
  platform() === "linux" ? beganOnLinux(pid) : beganElsewhere(pid)

/** True while exactly this process runs. */
export const isAlive = (identity: Identity): boolean => beganAt(identity.pid) === identity.began

/** Sends the signal if the process still runs; never reaches another one with the same pid. */
export function signal(identity: Identity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return
  try {
    process.kill(identity.pid, name)
  } catch (error) {
    if (isAlive(identity)) throw error
  }
}

/** Kills a part with the processes that it started: each part leads a process group of its own. */
export function killGroup(identity: Identity): void {
  if (isAlive(identity)) signalGroup(identity.pid, "SIGKILL")
}

/** Sends the signal to a process group that this process started, by its leader's pid. */
export function signalGroup(leader: number | undefined, name: NodeJS.Signals): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, name)
  } catch {
    // The whole group has ended already.
  }
}

// proc(5): after the command in parentheses come the state and, as the 20th of these fields, the start time.
function beganOnLinux(pid: number): string | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8")
  } catch {
    return undefined
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19]
}

function beganElsewhere(pid: number): string | undefined {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim()
    return line === "" || line.startsWith("Z") ? undefined : line.slice(line.indexOf(" ") + 1).trim()
  } catch {
    return undefined
  }
}
