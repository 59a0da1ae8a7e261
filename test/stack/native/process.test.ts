import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { ownerOf, stopLeftovers, takeOwnership } from "../ownership.ts"
import { beganAt, isAlive, signal } from "./identity.ts"
import { createPart, type Part, type Program } from "./process.ts"
import { createRecord } from "./record.ts"

describe("a part of the stack", () => {
  let directory: string
  let parts: Part[]

  const program = (script: string, changes: Partial<Program> = {}): Program => ({
    name: "sample",
    command: process.execPath,
    args: ["-e", script],
    cwd: directory,
    stopSignal: "SIGTERM",
    startTimeoutMs: 10_000,
    stopTimeoutMs: 10_000,
    healthy: async () => {},
    ...changes,
  })

  const part = (script: string, changes: Partial<Program> = {}): Part => {
    const made = createPart(program(script, changes), { run: join(directory, "run"), logs: directory })
    parts.push(made)
    return made
  }

  const forever = "setInterval(() => {}, 1000)"

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "part-"))
    parts = []
  })

  afterEach(async () => {
    for (const one of parts) await one.kill()
    rmSync(directory, { recursive: true, force: true })
  })

  test("runs after start and is gone after stop", async () => {
    const sample = part(forever)
    await sample.start()
    const running = sample.identity()
    expect(running && isAlive(running)).toBe(true)
    await sample.stop()
    expect(running && isAlive(running)).toBe(false)
    expect(sample.identity()).toBeUndefined()
    expect(sample.crashed()).toBe(false)
  })

  test("is found and stopped by somebody who only knows the directory", async () => {
    await part(forever).start()
    expect(await stopLeftovers(directory)).toEqual(["sample"])
    expect(part(forever).identity()).toBeUndefined()
  })

  test("takes its child processes with it when it does not end in time", async () => {
    const child = "setInterval(() => {}, 1000)"
    const sample = part(
      `process.on("SIGTERM", () => {}); ${forever};
       const child = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}]);
       require("node:fs").writeFileSync("child", String(child.pid))`,
      {
        stopTimeoutMs: 200,
        healthy: async () => {
          if (!existsSync(join(directory, "child"))) throw new Error("it has no child yet")
        },
      },
    )
    await sample.start()
    const pid = Number(readFileSync(join(directory, "child"), "utf8"))
    expect(beganAt(pid)).toBeDefined()
    await sample.stop()
    await vi.waitFor(() => expect(beganAt(pid)).toBeUndefined())
  })

  test("starts once when started twice", async () => {
    const sample = part(forever)
    await sample.start()
    const first = sample.identity()
    await part(forever).start()
    expect(sample.identity()).toEqual(first)
  })

  test("counts as crashed when it ends by itself, not when it was killed on purpose", async () => {
    const sample = part(forever)
    await sample.start()
    const running = sample.identity()
    if (running === undefined) throw new Error("it does not run")
    signal(running, "SIGKILL")
    await expect.poll(() => sample.crashed()).toBe(true)
    await sample.start()
    await sample.kill()
    expect(sample.crashed()).toBe(false)
  })

  test("is killed when it does not listen to the request to end", async () => {
    const sample = part(`process.on("SIGTERM", () => {}); ${forever}`, { stopTimeoutMs: 100 })
    await sample.start()
    await sample.stop()
    expect(sample.identity()).toBeUndefined()
  })

  test("stops although it is frozen", async () => {
    const sample = part(forever)
    await sample.start()
    await sample.freeze()
    await sample.stop()
    expect(sample.identity()).toBeUndefined()
  })

  test("fails to start with its last words when it ends before it serves", async () => {
    const sample = part(`console.error("no such disk"); process.exit(3)`, {
      healthy: () => Promise.reject(new Error("no")),
    })
    await expect(sample.start()).rejects.toThrow(/sample ended while starting:\n.*no such disk/s)
  })

  test("is never mistaken for a stranger with the same pid", async () => {
    const stranger = spawn(process.execPath, ["-e", forever])
    try {
      const pid = stranger.pid ?? 0
      createRecord({ run: join(directory, "run") }, "sample").write({ pid, began: "long ago", wanted: true })
      expect(await stopLeftovers(directory)).toEqual([])
      expect(beganAt(pid)).toBeDefined()
    } finally {
      stranger.kill("SIGKILL")
    }
  })

  test("belongs to one owner at a time", async () => {
    const owner = part(forever, { name: "owner" })
    await owner.start()
    expect(ownerOf(directory)).toEqual(owner.identity())
    await expect(takeOwnership(directory)).rejects.toThrow(/A stack already runs in .* \(process \d+\)/)
    await owner.kill()
    const release = await takeOwnership(directory)
    expect(ownerOf(directory)?.pid).toBe(process.pid)
    release()
    expect(ownerOf(directory)).toBeUndefined()
  })
})
