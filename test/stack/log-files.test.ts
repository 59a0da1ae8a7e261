// The logs of a native stack as `lockstep stack logs` prints them.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { printLogs } from "./log-files.ts"

let directory: string
let printed: string[]
const print = (line: string) => void printed.push(line)

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-logs-"))
  printed = []
  writeFileSync(join(directory, "kafka.log"), "k1\nk2\nk3\n")
  writeFileSync(join(directory, "query.log"), "q1\n")
})
afterEach(() => rmSync(directory, { recursive: true }))

describe("the logs", () => {
  test("of all parts are their last lines, each after the part's name", async () => {
    expect(await printLogs({ directory, part: undefined, lines: 2, follow: false, print })).toBe(0)
    expect(printed).toEqual(["kafka | k2", "kafka | k3", "query | q1"])
  })

  test("of one part are its lines as they are", async () => {
    expect(await printLogs({ directory, part: "query", lines: 2, follow: false, print })).toBe(0)
    expect(printed).toEqual(["q1"])
  })

  test("that are followed go on with every line that is added, and with a file that begins anew", async () => {
    const ending = new AbortController()
    const ended = printLogs({
      directory,
      part: "query",
      lines: 9,
      follow: true,
      print,
      signal: ending.signal,
    })
    appendFileSync(join(directory, "query.log"), "q2\nhalf")
    await vi.waitFor(() => expect(printed).toEqual(["q1", "q2"]), 5_000)
    appendFileSync(join(directory, "query.log"), " a line\n")
    await vi.waitFor(() => expect(printed).toEqual(["q1", "q2", "half a line"]), 5_000)
    writeFileSync(join(directory, "query.log"), "new\n")
    await vi.waitFor(() => expect(printed.at(-1)).toBe("new"), 5_000)
    ending.abort()
    expect(await ended).toBe(0)
  })

  test("of a part that does not exist end with 2", async () => {
    expect(await printLogs({ directory, part: "nothing", lines: 2, follow: false, print })).toBe(2)
  })

  test("of a stack that never ran end with 1", async () => {
    const nowhere = join(directory, "nowhere")
    expect(await printLogs({ directory: nowhere, part: undefined, lines: 2, follow: false, print })).toBe(1)
  })
})
