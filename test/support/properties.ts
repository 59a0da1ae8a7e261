// How properties run: `SEED=` repeats a run that failed, `RUNS=` or `TIMES=` searches longer. The seed is always
// printed, so a failure on another machine can be repeated here.
import fc from "fast-check"
import { times } from "./times.ts"

/** Parameters for `fc.assert`. */
export function propertyRuns(name: string, numRuns: number): { seed: number; numRuns: number } {
  const seed = Number(process.env.SEED ?? Date.now() % 0x7fffffff)
  const runs = Number(process.env.RUNS ?? numRuns * times)
  console.info(`${name}: SEED=${seed} RUNS=${runs}`)
  return { seed, numRuns: runs }
}

/**
 * Choices for a simulation, read from a tape of numbers. An empty tape makes every choice 0, so if 0 is always the
 * plainest choice, shrinking the tape shrinks the story.
 */
export type Choices = {
  /** A number from 0 to `options - 1`. */
  pick: (options: number) => number
  isOver: () => boolean
}

export function choicesFrom(tape: Uint16Array): Choices {
  let at = 0
  return {
    pick: (options) => (tape[at++] ?? 0) % options,
    isOver: () => at >= tape.length,
  }
}

export const tapes = (maxLength: number): fc.Arbitrary<Uint16Array> =>
  fc.uint16Array({ maxLength, size: "max" })
