// Redis' clock, as far as this process can know it. A lease must end by Redis' clock: a renewal that a stopped Redis
// has held up is then over before it is carried out. The end must be known by our own clock too, because the projector
// waits for it. Example: Redis shows 5,000 between 100 and 104 of our clock, so at 1,104 it shows at least 6,000.

/** A reading of Redis' clock, taken between two moments of our monotonic clock; all in milliseconds. */
export type ClockReading = { redisMs: number; sentAt: number; answeredAt: number }

export type RedisClock = {
  /** @returns by how many milliseconds Redis' clock was set back since the reading before; 0 if it was not. */
  read(reading: ClockReading): number
  /** The earliest that Redis' clock can show at `monotonicMs`. */
  earliest(monotonicMs: number): number
}

/** Readings are coarse by the round trip, so less than this is no proof of a clock set back. */
const toleranceMs = 5

export function createRedisClock(first: ClockReading): RedisClock {
  const offsetOf = ({ redisMs, answeredAt }: ClockReading): number => redisMs - answeredAt
  let offset = offsetOf(first)
  return {
    read(reading) {
      const expectedAtLeast = reading.sentAt + offset
      if (reading.redisMs < expectedAtLeast - toleranceMs) {
        const setBack = reading.answeredAt + offset - reading.redisMs
        offset = offsetOf(reading)
        return setBack
      }
      offset = Math.max(offset, offsetOf(reading))
      return 0
    },
    earliest: (monotonicMs) => Math.floor(monotonicMs + offset),
  }
}
