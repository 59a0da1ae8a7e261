// Shows a request's progress until the projector has finished the request. Leaving (Ctrl-C) does not end the request.
import { setTimeout as sleep } from "node:timers/promises"
import type { Kysely } from "kysely"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { readRequest } from "../cdc/lease/requests.ts"

const pollMs = 250

export type Outcome = { state: "done"; progress: unknown } | { state: "failed"; error: string }

/** @param describe makes a line of the request's progress, or null while the request has no progress to tell. */
export async function followRequest(
  db: Kysely<QueryDatabase>,
  id: bigint,
  describe: (progress: unknown) => string | null,
): Promise<Outcome> {
  const leave = (): never => {
    console.error(`left: request ${id} goes on; run the command again to see its progress`)
    process.exit(130)
  }
  process.once("SIGINT", leave)
  let shown = ""
  try {
    for (;;) {
      const request = await readRequest(db, id)
      if (!request) throw new Error(`request ${id} does not exist any more`)
      if (request.state === "failed") return { state: "failed", error: request.error ?? "unknown" }
      if (request.state === "done") return { state: "done", progress: request.progress }
      const line = describe(request.progress) ?? `waiting for a projector (state ${request.state})`
      if (line !== shown) console.error(line)
      shown = line
      await sleep(pollMs)
    }
  } finally {
    process.off("SIGINT", leave)
  }
}
