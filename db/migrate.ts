// Brings both databases to the newest schema and sets the roles' passwords. Safe to run again, and safe when
// two run at once: Kysely's migrator holds a lock. Both functions answer the names of the migrations that were run.
import { ExponentialBackoff, handleWhen, retry } from "cockatiel"
import { type Migration, Migrator, sql } from "kysely"
import * as commandRoles from "./command/migrations/0001-roles.ts"
import * as commandOrderTables from "./command/migrations/0002-order-tables.ts"
import * as commandOrderEvents from "./command/migrations/0003-order-events.ts"
import * as commandCapture from "./command/migrations/0004-capture.ts"
import * as commandOrderDomain from "./command/migrations/0005-order-domain.ts"
import { createDatabase, createPool } from "./connect.ts"
import { isCatalogConflict } from "./errors.ts"
import * as queryRoles from "./query/migrations/0001-roles.ts"
import * as queryCdcTables from "./query/migrations/0002-cdc-tables.ts"
import * as queryDeadLetters from "./query/migrations/0003-dead-letters.ts"
import * as querySources from "./query/migrations/0004-sources.ts"
import * as queryOutbox from "./query/migrations/0005-outbox.ts"
import * as queryErasure from "./query/migrations/0006-erasure.ts"
import * as queryTakenValues from "./query/migrations/0007-taken-values.ts"
import * as queryPredecessors from "./query/migrations/0008-predecessors.ts"

const commandMigrations = {
  "0001-roles": commandRoles,
  "0002-order-tables": commandOrderTables,
  "0003-order-events": commandOrderEvents,
  "0004-capture": commandCapture,
  "0005-order-domain": commandOrderDomain,
}

const queryMigrations = {
  "0001-roles": queryRoles,
  "0002-cdc-tables": queryCdcTables,
  "0003-dead-letters": queryDeadLetters,
  "0004-sources": querySources,
  "0005-outbox": queryOutbox,
  "0006-erasure": queryErasure,
  "0007-taken-values": queryTakenValues,
  "0008-predecessors": queryPredecessors,
}

export type CommandPasswords = { command_app: string; capture: string; base_loader: string }
export type QueryPasswords = { projector: string; reader: string }

/** Migrates the write side's database. `adminUrl` must name a role that may create roles and tables. */
export async function migrateCommandDatabase(options: {
  adminUrl: string
  passwords: CommandPasswords
}): Promise<string[]> {
  return migrate(options.adminUrl, commandMigrations, options.passwords)
}

/** Migrates the read side's database (schema `cdc`; read-model tables are made by each generation). */
export async function migrateQueryDatabase(options: {
  adminUrl: string
  passwords: QueryPasswords
}): Promise<string[]> {
  return migrate(options.adminUrl, queryMigrations, options.passwords)
}

// Roles are shared by the cluster, and no lock spans databases: two migrated at once may collide on a role's row.
const setPassword = retry(handleWhen(isCatalogConflict), {
  maxAttempts: 10,
  backoff: new ExponentialBackoff({ initialDelay: 20 }),
})

async function migrate(
  adminUrl: string,
  migrations: Record<string, Migration>,
  passwords: Record<string, string>,
): Promise<string[]> {
  const db = createDatabase<unknown>(
    createPool({ url: adminUrl, applicationName: "migrate", maxConnections: 2 }),
  )
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error) throw error
    for (const [role, password] of Object.entries(passwords)) {
      await setPassword.execute(() =>
        sql`alter role ${sql.id(role)} password ${sql.lit(password)}`.execute(db),
      )
    }
    return results.map(({ migrationName }) => migrationName)
  } finally {
    await db.destroy()
  }
}
