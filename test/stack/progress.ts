// What a person sees while something takes time: one line for each finished step with its seconds, and every ten
// seconds a line naming what is still under way.

/** Reports steps as they end. */
export type Progress = {
  /** Runs a step, prints its title with its seconds and a note, and returns its result. */
  step<T>(title: string, run: () => Promise<T>, note?: string): Promise<T>
  /** Prints one line. */
  say(line: string): void
}

/** Progress as lines of text; `write` gets one line at a time, `now` gives milliseconds. */
export function createProgress(write: (line: string) => void, now: () => number = Date.now): Progress {
  return {
    say: write,
    step: async (title, run, note = "") => {
      const began = now()
      const seconds = () => `${((now() - began) / 1000).toFixed(1)} s`
      const ticking = setInterval(() => write(`  ..  ${title}: still under way after ${seconds()}`), 10_000)
      try {
        const result = await run()
        write(`  ok  ${title.padEnd(34)} ${seconds().padStart(7)}  ${note}`.trimEnd())
        return result
      } catch (error) {
        write(`  !!  ${title.padEnd(34)} ${seconds().padStart(7)}  failed`)
        throw error
      } finally {
        clearInterval(ticking)
      }
    },
  }
}
