// Seeded randomness: a run prints its seed, and the same seed gives the same choices.
import { crc32 } from "node:zlib"

export type Random = {
  /** A whole number from 0 up to, not including, `below`. */
  below: (below: number) => number
  /** True with this probability. */
  chance: (probability: number) => boolean
  pick: <Item>(items: readonly Item[]) => Item
  /** Another stream that depends on this one's seed and the name only. */
  fork: (name: string) => Random
}

/** mulberry32: small, good enough to choose workloads. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[below(items.length)]
      if (item === undefined) throw new RangeError("nothing to pick from")
      return item
    },
    fork: (name) => createRandom(crc32(name) ^ seed),
  }
}

/** The seed of this run: SEED from the environment, or a new one. */
export const chooseSeed = (): number => Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
