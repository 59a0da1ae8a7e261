// Time as the engine uses it: pauses and repeated work that end at once when a signal is aborted.

/** The pause ends after the time, or at once when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const finish = () => {
      clearTimeout(timer)
      signal.removeEventListener("abort", finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener("abort", finish)
  })
}

/** Repeats the work until the signal is aborted. `work` reports its own failures, and a failed one is repeated too. */
export async function repeat(everyMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work().catch(() => {})
    await pause(everyMs, signal)
  }
}

/** Full jitter: a random delay up to a limit that doubles with every failure (200, 400, 800 ms) until `longestMs`. */
export const jittered = (failures: number, firstMs: number, longestMs: number): number =>
  Math.random() * Math.min(longestMs, firstMs * 2 ** failures)
