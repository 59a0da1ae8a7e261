// `npx lockstep stack reset`: forgets everything that the stopped stack kept. Asks first, unless --yes was given.
import { existsSync, rmSync } from "node:fs"
import { createInterface } from "node:readline/promises"
import { runCompose } from "../compose/compose-project.ts"
import { engineAnswers } from "../infrastructure.ts"
import { isPrepared, readLayout } from "../layout.ts"
import { farDirectory } from "../native/postgres-home.ts"
import { ownerOf, stopLeftovers } from "../ownership.ts"
import type { Settings } from "../settings.ts"
import { stackDirectory } from "./start.ts"

/** Removes the data of the stack; refuses while it runs. */
export async function reset(settings: Settings, args: readonly string[]): Promise<number> {
  const owner = ownerOf(stackDirectory)
  if (owner !== undefined) {
    console.error(
      `The stack runs (process ${owner.pid}): stop it with npx lockstep stack down, then reset it.`,
    )
    return 1
  }
  if (!existsSync(stackDirectory)) {
    console.log("There is nothing to reset.")
    return 0
  }
  if (!args.includes("--yes") && !(await isConfirmed())) {
    console.log("Nothing was removed.")
    return 1
  }
  await stopLeftovers(stackDirectory)
  if (isPrepared(stackDirectory) && (await engineAnswers())) {
    await runCompose(readLayout(stackDirectory), settings, ["down", "--volumes"])
  }
  rmSync(farDirectory({ directory: stackDirectory }), { recursive: true, force: true })
  rmSync(stackDirectory, { recursive: true, force: true })
  console.log(`Removed ${stackDirectory}.`)
  return 0
}

async function isConfirmed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    console.error("Nobody can be asked here: say npx lockstep stack reset --yes to remove all data.")
    return false
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return (
      (await prompt.question(`Remove ${stackDirectory} with all orders in it? [y/N] `))
        .trim()
        .toLowerCase() === "y"
    )
  } finally {
    prompt.close()
  }
}
