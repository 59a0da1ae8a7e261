// The way in to the program where nothing is installed: it says one sentence, and installs nothing.
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { projectDirectory } from "../../stack/layout.ts"

test("a checkout without node_modules is told in one sentence, with the next step", () => {
  // Not in the directory that npm test gives for temporary files: it lies in the checkout, which has node_modules.
  const directory = mkdtempSync("/tmp/lockstep-launcher-")
  try {
    cpSync(join(projectDirectory, "query/lockstep.mjs"), join(directory, "lockstep.mjs"))
    writeFileSync(join(directory, "cli.ts"), "")
    const { status, stderr } = spawnSync(process.execPath, [join(directory, "lockstep.mjs"), "dlq", "list"], {
      encoding: "utf8",
    })
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: "This checkout has no node_modules: run npm ci, then lockstep again.\n",
    })
    expect(readdirSync(directory).toSorted()).toEqual(["cli.ts", "lockstep.mjs"])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
