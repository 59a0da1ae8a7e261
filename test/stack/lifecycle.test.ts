import { describe, expect, test, vi } from "vitest"
import { aborted, runErrand } from "./lifecycle.ts"
import type { Part } from "./native/process.ts"

const directory = "/nowhere"

function part(crashed: () => boolean): Part {
  return {
    name: "sample",
    log: "/nowhere/sample.log",
    start: async () => {},
    stop: async () => {},
    kill: async () => {},
    freeze: async () => {},
    thaw: async () => {},
    healthy: async () => true,
    identity: () => undefined,
    crashed,
  }
}

describe("an errand on a stack", () => {
  const errand = (work: (signal: AbortSignal) => Promise<number>, parts: readonly Part[] = []) => {
    const stopAll = vi.fn(async () => {})
    return { stopAll, run: () => runErrand({ directory, work, parts, stopAll, codeWhenTold: 130 }) }
  }

  test("stops everything once when its work is done, and gives the work's exit code", async () => {
    const { run, stopAll } = errand(async () => 3)
    expect(await run()).toBe(3)
    expect(stopAll).toHaveBeenCalledTimes(1)
  })

  test("stops everything and fails when its work fails", async () => {
    const { run, stopAll } = errand(() => Promise.reject(new Error("no disk")))
    expect(await run()).toBe(1)
    expect(stopAll).toHaveBeenCalledTimes(1)
  })

  test("ends the work and fails when a part crashes", async () => {
    const { run, stopAll } = errand((signal) => aborted(signal).then(() => 0), [part(() => true)])
    expect(await run()).toBe(1)
    expect(stopAll).toHaveBeenCalled()
  })

  test("ends in order when it is told to by a signal, even by two of them", async () => {
    const { run, stopAll } = errand((signal) => aborted(signal).then(() => 0))
    const ended = run()
    process.emit("SIGTERM")
    process.emit("SIGTERM")
    expect(await ended).toBe(130)
    expect(stopAll).toHaveBeenCalled()
  })

  test("stops again what the work started while it was being stopped", async () => {
    let running = 0
    const work = async (signal: AbortSignal): Promise<number> => {
      await aborted(signal)
      await new Promise((resolve) => setTimeout(resolve, 100))
      running = 1
      return 0
    }
    const stopAll = async () => {
      running = 0
    }
    await runErrand({ directory, work, parts: [part(() => true)], stopAll, codeWhenTold: 130 })
    expect(running).toBe(0)
  })
})
