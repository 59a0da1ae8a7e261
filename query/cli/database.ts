// What every operation needs: a connection to the query database as role projector, and the source it is about.
import type { Kysely } from "kysely"
import { z } from "zod"
import { createDatabase, createPool } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { postgresUrl, sourceNameSchema } from "../source-settings.ts"
import { parseSettings } from "./settings.ts"

const environment = z.object({
  PROJECTOR_DATABASE_URL: postgresUrl,
  SOURCE_NAME: sourceNameSchema.default("orders"),
})

const servers = z.object({
  KAFKA_BROKERS: z.string().min(1),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  TOPIC_PREFIX: z.string().min(1).default("ecommerce"),
})

/** Where the source's topics and cached answers are. @throws UnusableSettings. */
export function readServers(): { brokers: string[]; redisUrl: string; topicPrefix: string } {
  const { KAFKA_BROKERS, REDIS_URL, TOPIC_PREFIX } = parseSettings(servers)
  return { brokers: KAFKA_BROKERS.split(","), redisUrl: REDIS_URL, topicPrefix: TOPIC_PREFIX }
}

/** Opens the database for `work` and closes it after. @throws UnusableSettings. */
export async function withDatabase<Result>(
  work: (db: Kysely<QueryDatabase>, source: string) => Promise<Result>,
): Promise<Result> {
  const env = parseSettings(environment)
  const pool = createPool({
    url: env.PROJECTOR_DATABASE_URL,
    applicationName: "lockstep cli",
    maxConnections: 1,
  })
  const db = createDatabase<QueryDatabase>(pool)
  try {
    return await work(db, env.SOURCE_NAME)
  } finally {
    await db.destroy()
  }
}
