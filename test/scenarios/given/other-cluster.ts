// A second Postgres cluster beside the stack's, as after a restore somewhere else: migrated, with the demo data, and
// with LSNs that begin anew. The roles have the stack's passwords, so the connector finds its way in.
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { loadDemoData } from "../../../db/demo-data.ts"
import { migrateCommandDatabase } from "../../../db/migrate.ts"
import { readEndpoints } from "../../stack/endpoints.ts"
import { readLayout } from "../../stack/layout.ts"
import { createPostgres } from "../../stack/native/postgres.ts"
import { postgresHome } from "../../stack/native/postgres-home.ts"
import { pickFreePort } from "../../stack/ports.ts"
import { uniqueName } from "../../support/databases.ts"

export type OtherCluster = {
  port: number
  databaseName: string
  adminUrl: string
  urlAs: (role: "command_app" | "base_loader") => string
  /** Stops it and removes its data. */
  close: () => Promise<void>
}

export async function createOtherCluster(): Promise<OtherCluster> {
  const endpoints = readEndpoints()
  const layout = readLayout(endpoints.directory)
  const name = uniqueName("other-database")
  const port = await pickFreePort(new Set())
  const databaseName = "orders"
  const part = createPostgres(layout, {
    name,
    database: databaseName,
    port,
    durable: false,
    settings: { wal_level: "logical", max_wal_senders: "5", max_replication_slots: "5" },
  })
  await part.start()
  const urlOf = (role: string, password: string) =>
    `postgres://${role}:${password}@127.0.0.1:${port}/${databaseName}`
  const adminUrl = urlOf("postgres", layout.passwords.admin)
  const { command_app, capture, base_loader } = endpoints.passwords
  await migrateCommandDatabase({ adminUrl, passwords: { command_app, capture, base_loader } })
  await loadDemoData(adminUrl)
  return {
    port,
    databaseName,
    adminUrl,
    urlAs: (role) => urlOf(role, endpoints.passwords[role]),
    async close() {
      await part.stop()
      await rm(join(postgresHome(layout).data, name), { recursive: true, force: true })
    },
  }
}
