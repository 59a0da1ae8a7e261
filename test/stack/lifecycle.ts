// How a command that owns a stack ends: its work is done or failed, somebody sent a signal, or a part crashed. Whatever
// comes first, everything that was started is stopped before the command returns.
import { setTimeout as pause } from "node:timers/promises"
import { lastLines, type Part } from "./native/process.ts"

/** Signals that ask this process to stop, as an AbortSignal for the work under way. */
export interface Told {
  readonly signal: AbortSignal
  /** Resolves when the first signal came. */
  readonly received: Promise<"told">
}

/** What a command does with a stack. */
export interface Errand {
  /** Resolves with the exit code; must end soon after the stack is stopped under it. */
  readonly work: Promise<number>
  /** Parts whose death ends the errand. */
  readonly parts: readonly Part[]
  /** Stops what runs; called until the work has ended, so also what the work started meanwhile. */
  readonly stopAll: () => Promise<void>
  /** Exit code after a signal. */
  readonly codeWhenTold: number
}

/**
 * Listens for SIGINT, SIGTERM and SIGHUP. The first asks for an orderly stop. npm passes on the one that the terminal
 * has sent already, so only another one two seconds later leaves at once.
 */
export const receiveSignals = (): Told => {
  const controller = new AbortController()
  let first: number | undefined
  const receive = () => {
    if (first !== undefined && Date.now() - first > 2000) process.exit(130)
    if (first === undefined) console.log("\nStopping ... (Ctrl-C once more leaves at once)")
    first ??= Date.now()
    controller.abort()
  }
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, receive)
  const received = new Promise<"told">((resolve) => {
    controller.signal.addEventListener("abort", () => resolve("told"))
  })
  return { signal: controller.signal, received }
}

/** Waits for the end of the errand, stops everything, and returns the exit code. */
export const runErrand = async (errand: Errand, told: Told): Promise<number> => {
  const watching = new AbortController()
  const failed = errand.work.catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  )
  const end = await Promise.race([failed, told.received, firstCrash(errand.parts, watching.signal)])
  watching.abort()
  if (typeof end === "object") console.error(describeEnd(end))
  const began = Date.now()
  let settled = false
  const settling = failed.then(() => {
    settled = true
  })
  do {
    await errand.stopAll()
    await Promise.race([settling, pause(200)])
  } while (!settled)
  await errand.stopAll()
  console.log(`Stopped everything in ${((Date.now() - began) / 1000).toFixed(1)} s.`)
  if (typeof end === "number") return end
  return end === "told" ? errand.codeWhenTold : 1
}

const describeEnd = (end: Part | Error): string =>
  end instanceof Error
    ? `\n${end.message}`
    : `\n${end.name} ended by itself, so everything is stopped. Its last lines, from ${end.log}:\n${lastLines(end.log)}`

// Resolves with the first part that ends without having been asked to.
const firstCrash = (parts: readonly Part[], stopWatching: AbortSignal): Promise<Part> =>
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
