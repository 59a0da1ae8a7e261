// An open loop: work begins at its appointed time whether or not earlier work has ended, so a system that stalls is
// measured as slow and not as idle (no coordinated omission).
import { setTimeout as pause } from "node:timers/promises"

export type OpenLoopReport = {
  begun: number
  seconds: number
  /** How late each piece began, in milliseconds: the generator's own delay, not the system's. */
  latenessMs: number[]
}

/** Begins `perSecond` pieces of work a second, evenly, and resolves when all have ended. Rejects with the first failure. */
export const runOpenLoop = async (
  options: { perSecond: number; seconds: number },
  work: () => Promise<void>,
): Promise<OpenLoopReport> => {
  const total = Math.round(options.perSecond * options.seconds)
  const began = performance.now()
  const appointed = (piece: number) => began + (piece * 1_000) / options.perSecond
  const latenessMs: number[] = []
  const running: Promise<void>[] = []
  const failures: unknown[] = []
  while (running.length < total && failures.length === 0) {
    const now = performance.now()
    while (running.length < total && appointed(running.length) <= now) {
      latenessMs.push(now - appointed(running.length))
      running.push(work().catch((error: unknown) => void failures.push(error)))
    }
    await pause(1)
  }
  const seconds = (performance.now() - began) / 1_000
  await Promise.all(running)
  if (failures.length > 0) throw failures[0]
  return { begun: running.length, seconds, latenessMs }
}
