// One source of a test's own: a fresh write database with the demo data, captured by its own connector, slot and
// topics, and a command service in this process. `drop` leaves nothing behind.
import type pg from "pg"
import { loadConfig } from "../../command/config.ts"
import * as command from "../../command/start.ts"
import { type RegistrationOptions, registerConnector } from "../../connectors/register.ts"
import { createPool } from "../../db/connect.ts"
import { loadDemoData } from "../../db/demo-data.ts"
import { endCapture, registrationOf } from "./capturing.ts"
import { createCommandDatabase, uniqueName } from "./databases.ts"

export type CapturedSource = {
  /** Of the source, its connector, its slot, and its topics' first part. */
  name: string
  commandUrl: string
  /** How its connector was registered, to register it again. */
  registration: RegistrationOptions
  /** Environment of its command service, to start other instances. */
  commandEnvironment: Record<string, string>
  /** Superuser pool. */
  pool: pg.Pool
  /** URL of the database as role base_loader. */
  loaderUrl: string
  drop: () => Promise<void>
}

export async function createCapturedSource(base: string): Promise<CapturedSource> {
  const name = uniqueName(base)
  const database = await createCommandDatabase(base)
  await loadDemoData(database.adminUrl)
  const registration = registrationOf(name, database)
  await registerConnector(registration)
  const commandEnvironment = {
    COMMAND_PORT: "0",
    COMMAND_DATABASE_URL: database.urlAs("command_app"),
    COMMAND_MAX_CONNECTIONS: "10",
    SOURCE_NAME: name,
    PAYMENT_ANSWER_SECONDS: "1",
    PAYMENT_RETRY_SECONDS: "1",
    SCHEDULE_SECONDS: "1",
    LOG_LEVEL: "silent",
  }
  const service = await command.start(loadConfig(commandEnvironment))
  const pool = createPool({ url: database.adminUrl, applicationName: "test" })
  return {
    name,
    commandUrl: service.url,
    registration,
    commandEnvironment,
    pool,
    loaderUrl: database.urlAs("base_loader"),
    async drop() {
      await service.stop()
      await endCapture(name)
      await pool.end()
      await database.drop()
    },
  }
}
