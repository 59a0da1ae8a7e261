// Runs with every test file, after everything else of it: nothing that it has started may be left running.
import { afterAll } from "vitest"
import { killLeft } from "./started-processes.ts"

afterAll(async () => {
  const left = await killLeft()
  if (left.length > 0) throw new Error(`left running by the tests of this file: ${left.join(", ")}`)
})
