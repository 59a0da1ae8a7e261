// How a command that owns a stack ends: its work is done or failed, somebody sent a signal, or a part crashed. Whatever
// comes first, everything that was started is stopped before the command returns.
import { setTimeout as pause } from "node:timers/promises"
import { lastLines, type Part } from "./native/process.ts"
import { killLeftovers } from "./ownership.ts"

/** The work of a command on a stack, and how that stack is stopped. */
export type Errand = {
  /** Resolves with the exit code; must end soon after the signal is aborted and the stack stopped under it. */
  readonly work: (signal: AbortSignal) => Promise<number>
  /** Where the stack's running parts are written down, also those that a test started. */
  readonly directory: string
  /** Parts whose death ends the errand. */
  readonly parts: readonly Part[]
  /** Stops what runs; called until the work has ended, so also what the work started meanwhile. */
  readonly stopAll: () => Promise<void>
  /** Exit code after a signal. */
  readonly codeWhenTold: number
}

/** Runs the errand to its end, stops everything, and returns the exit code. */
export async function runErrand(errand: Errand): Promise<number> {
  const ending = new AbortController()
  const work = errand
    .work(ending.signal)
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
  const signals = listenForSignals(errand.directory)
  const end = await Promise.race([work, signals.received, firstCrash(errand.parts, ending.signal)])
  ending.abort()
  if (typeof end === "object") console.error(describeEnd(end))
  const began = Date.now()
  let settled = false
  const settling = work.then(() => {
    settled = true
  })
  await Promise.race([settling, pause(0)])
  for (;;) {
    const last = settled || Date.now() - began > patienceMs
    await errand.stopAll()
    if (last) break
    await Promise.race([settling, pause(200)])
  }
  signals.stopListening()
  console.log(`Stopped everything in ${((Date.now() - began) / 1000).toFixed(1)} s.`)
  if (typeof end === "number") return end
  return end === "told" ? errand.codeWhenTold : 1
}

/** Resolves when the signal is aborted. */
export function aborted(ending: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ending.aborted) resolve()
    ending.addEventListener("abort", () => resolve())
  })
}

// How long work may go on after the stack was stopped under it.
const patienceMs = 20_000

// The first signal asks for an orderly stop. npm passes on the one that the terminal has sent already, so only another
// one two seconds later ends everything at once.
function listenForSignals(directory: string) {
  const controller = new AbortController()
  let first: number | undefined
  const receive = () => {
    if (first !== undefined && Date.now() - first > 2000) {
      killLeftovers(directory)
      process.exit(130)
    }
    if (first === undefined) console.log("\nStopping ... (Ctrl-C once more kills everything at once)")
    first ??= Date.now()
    controller.abort()
  }
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const
  for (const name of names) process.on(name, receive)
  return {
    received: aborted(controller.signal).then(() => "told" as const),
    stopListening: () => {
      for (const name of names) process.off(name, receive)
    },
  }
}

const describeEnd = (end: Part | Error): string =>
  end instanceof Error
    ? `\n${end.message}`
    : `\n${end.name} ended by itself, so everything is stopped. Its last lines, from ${end.log}:\n${lastLines(end.log)}`

// Resolves with the first part that ends without having been asked to.
function firstCrash(parts: readonly Part[], stopWatching: AbortSignal): Promise<Part> {
  return new Promise((resolve) => {
    const look = () => {
      const crashed = parts.find((part) => part.crashed())
      if (crashed === undefined) return
      clearInterval(timer)
      resolve(crashed)
    }
    const timer = setInterval(look, 250)
    stopWatching.addEventListener("abort", () => clearInterval(timer))
  })
}
