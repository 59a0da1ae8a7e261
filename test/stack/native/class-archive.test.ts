import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { archiveFlags, removeArchives } from "./class-archive.ts"

let jars: string

beforeEach(() => {
  jars = mkdtempSync(join(tmpdir(), "jars-"))
})
afterEach(() => rmSync(jars, { recursive: true, force: true }))

/** Writes this where the flags say that the archive is. */
function archive(bytes: readonly number[]): void {
  writeFileSync(archiveFlags({ jars }, "kafka")[0]?.split("=")[1] ?? "", Buffer.from(bytes))
}

test("is written by the first run and used by the next one", () => {
  expect(archiveFlags({ jars }, "kafka")).toEqual([
    expect.stringMatching(/^-XX:ArchiveClassesAtExit=.*kafka-\w+\.jsa$/),
  ])
  archive([0xa8, 0xab, 0x0b, 0xf0])
  expect(archiveFlags({ jars }, "kafka")).toEqual([expect.stringMatching(/^-XX:SharedArchiveFile=.*kafka-/)])
})

test("is written anew when the run that wrote it was killed meanwhile, and when the jars are replaced", () => {
  archive([0, 0, 0, 0, 1])
  expect(archiveFlags({ jars }, "kafka")[0]).toContain("ArchiveClassesAtExit")
  archive([0xa8, 0xab, 0x0b, 0xf0])
  removeArchives(jars)
  expect(archiveFlags({ jars }, "kafka")[0]).toContain("ArchiveClassesAtExit")
})
