// Waiting for a condition, never for time.
import { setTimeout as sleep } from "node:timers/promises"

/** @throws after `limitMs`, naming what was awaited and the last error of the condition. */
export async function waitFor(
  condition: () => Promise<boolean> | boolean,
  what: string,
  limitMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + limitMs
  let last: unknown = null
  while (Date.now() < deadline) {
    try {
      if (await condition()) return
      last = null
    } catch (error) {
      last = error
    }
    await sleep(20)
  }
  throw new Error(`waited ${limitMs} ms in vain until ${what}`, { cause: last })
}
