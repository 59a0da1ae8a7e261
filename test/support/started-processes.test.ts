import { spawn } from "node:child_process"
import { once } from "node:events"
import { expect, test } from "vitest"
import { killLeft, noteStarted } from "./started-processes.ts"

const start = (script: string) => spawn(process.execPath, ["-e", script], { stdio: "ignore" })

test("a process that was started and has not ended is told by name, and ended", async () => {
  const left = start("setInterval(() => {}, 1000)")
  noteStarted(left, "left")
  expect(await killLeft()).toEqual(["left"])
  expect(left.signalCode).toBe("SIGKILL")
  expect(await killLeft()).toEqual([])
})

test("a process that has ended by itself is not left", async () => {
  const ended = start("")
  noteStarted(ended, "ended")
  await once(ended, "exit")
  expect(await killLeft()).toEqual([])
})
