// What every operation needs: a connection to the query database as role projector, and the source it is about.
import type { Kysely } from "kysely"
import { z } from "zod"
import { createDatabase, createPool } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { postgresUrl, sourceNameSchema } from "../source-settings.ts"

const environment = z.object({
  PROJECTOR_DATABASE_URL: postgresUrl,
  SOURCE_NAME: sourceNameSchema.default("orders"),
})

/** Opens the database for `work` and closes it after. @throws Error naming the setting that is missing. */
export async function withDatabase<Result>(
  work: (db: Kysely<QueryDatabase>, source: string) => Promise<Result>,
): Promise<Result> {
  const env = environment.safeParse(process.env)
  if (!env.success) {
    throw new Error(
      `The query database must be named, and no stack runs here:\n${z.prettifyError(env.error)}`,
    )
  }
  const pool = createPool({
    url: env.data.PROJECTOR_DATABASE_URL,
    applicationName: "lockstep cli",
    maxConnections: 1,
  })
  const db = createDatabase<QueryDatabase>(pool)
  try {
    return await work(db, env.data.SOURCE_NAME)
  } finally {
    await db.destroy()
  }
}
