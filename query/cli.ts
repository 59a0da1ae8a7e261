// Operations on the read side. Only the lease holder writes read models, so a command here is a request that the
// projector executes; this program shows its progress. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 left alone
// (the request goes on; running the command again joins it).
import { userInfo } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { Command, CommanderError } from "commander"
import { z } from "zod"
import { createDatabase, createPool } from "../db/connect.ts"
import type { QueryDatabase } from "../db/query-schema.ts"
import { readRequest, requestRebuild } from "./cdc/requests.ts"

const environment = z.object({
  PROJECTOR_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  SOURCE_NAME: z.string().min(1).default("orders"),
})
const pollMs = 250

const loadShape = z.object({ step: z.string(), rowsLoaded: z.number(), rowsExpected: z.number() })

const program = new Command("lockstep").exitOverride()
const projection = program.command("projection").description("read models")

projection
  .command("rebuild")
  .description(
    "load a fresh generation from a snapshot of the source and switch to it; readers are served meanwhile",
  )
  .option("--json", "print the outcome as JSON")
  .action(async (options: { json?: boolean }) => {
    const env = environment.safeParse(process.env)
    if (!env.success)
      throw new Error(`PROJECTOR_DATABASE_URL must name the query database:\n${z.prettifyError(env.error)}`)
    const pool = createPool({
      url: env.data.PROJECTOR_DATABASE_URL,
      applicationName: "lockstep cli",
      maxConnections: 1,
    })
    const db = createDatabase<QueryDatabase>(pool)
    try {
      const { id, joined } = await requestRebuild(db, env.data.SOURCE_NAME, userInfo().username)
      console.error(`rebuild ${id} ${joined ? "is under way already; showing its progress" : "requested"}`)
      const outcome = await follow(db, id)
      if (options.json) console.log(JSON.stringify({ request: String(id), ...outcome }))
      else
        console.error(
          outcome.state === "done"
            ? `rebuild ${id} is done: generation ${outcome.generation} serves`
            : `rebuild ${id} failed: ${outcome.error}`,
        )
      process.exitCode = outcome.state === "done" ? 0 : 1
    } finally {
      await db.destroy()
    }
  })

type Outcome = { state: "done"; generation: number } | { state: "failed"; error: string }

async function follow(db: ReturnType<typeof createDatabase<QueryDatabase>>, id: bigint): Promise<Outcome> {
  let shown = ""
  for (;;) {
    const request = await readRequest(db, id)
    if (!request) throw new Error(`request ${id} is gone`)
    if (request.state === "failed") return { state: "failed", error: request.error ?? "unknown" }
    if (request.state === "done") {
      return { state: "done", ...z.object({ generation: z.number() }).parse(request.progress) }
    }
    const progress = loadShape.safeParse(request.progress)
    const line = progress.success
      ? describe(progress.data)
      : `waiting for a projector (state ${request.state})`
    if (line !== shown) console.error(line)
    shown = line
    await sleep(pollMs)
  }
}

function describe({ step, rowsLoaded, rowsExpected }: z.infer<typeof loadShape>): string {
  if (rowsLoaded === 0) return step
  const share =
    rowsExpected > 0
      ? ` of about ${rowsExpected} (${Math.min(100, Math.round((100 * rowsLoaded) / rowsExpected))} %)`
      : ""
  return `${step}: ${rowsLoaded} rows${share}`
}

process.once("SIGINT", () => {
  console.error("left; the rebuild goes on, run the command again to see it")
  process.exit(130)
})

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
