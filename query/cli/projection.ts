// `lockstep projection ..`: the read models as a whole.
import { userInfo } from "node:os"
import type { Command } from "commander"
import { z } from "zod"
import { requestRebuild } from "../cdc/lease/requests.ts"
import { withDatabase } from "./database.ts"
import { followRequest } from "./follow-request.ts"
import { withExamples } from "./help.ts"

const loadShape = z.object({ step: z.string(), rowsLoaded: z.number(), rowsExpected: z.number() })
const doneShape = z.object({ generation: z.number() })

export function addProjectionCommands(program: Command): void {
  const rebuild = program
    .command("projection")
    .description("read models")
    .command("rebuild")
    .description(
      "load a fresh generation from a snapshot of the source and switch to it; readers are served meanwhile",
    )
    .option("--json", "print the outcome as JSON")
    .action(runRebuild)
  withExamples(rebuild, ["npx lockstep projection rebuild"])
}

async function runRebuild(options: { json?: boolean }): Promise<void> {
  await withDatabase(async (db, source) => {
    const { id, joined } = await requestRebuild(db, source, userInfo().username)
    console.error(`rebuild ${id} ${joined ? "is under way already; showing its progress" : "requested"}`)
    const outcome = await followRequest(db, id, describeLoad)
    const failed = outcome.state === "failed"
    const answer = failed ? { error: outcome.error } : doneShape.parse(outcome.progress)
    if (options.json) console.log(JSON.stringify({ request: String(id), state: outcome.state, ...answer }))
    else if ("error" in answer) console.error(`rebuild ${id} failed: ${answer.error}`)
    else console.error(`rebuild ${id} is done: generation ${answer.generation} serves`)
    process.exitCode = failed ? 1 : 0
  })
}

function describeLoad(progress: unknown): string | null {
  const load = loadShape.safeParse(progress)
  if (!load.success) return null
  const { step, rowsLoaded, rowsExpected } = load.data
  if (rowsLoaded === 0) return step
  const share =
    rowsExpected > 0
      ? ` of about ${rowsExpected} (${Math.min(100, Math.round((100 * rowsLoaded) / rowsExpected))} %)`
      : ""
  return `${step}: ${rowsLoaded} rows${share}`
}
