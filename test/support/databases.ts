// Fresh databases for tests, migrated and empty. They are copied from a template that is migrated once per version of
// the migrations, so each costs a fraction of a second; the role passwords are those of the stack.
import { createHash, randomBytes } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import pg from "pg"
import { migrateCommandDatabase, migrateQueryDatabase } from "../../db/migrate.ts"
import { type Databases, readDatabases } from "../stack/endpoints.ts"
import { projectDirectory } from "../stack/layout.ts"

type Role = keyof Databases["passwords"]

/** A database of a test's own. `drop` ends sessions and slots that still use it. */
export interface TestDatabase {
  readonly name: string
  /** URL as superuser. */
  readonly adminUrl: string
  /** URL as one of the roles that the migrations create in this cluster. */
  urlAs(role: Role): string
  drop(): Promise<void>
}

/** A name that no other test uses: for databases, slots, topic prefixes, connectors. */
export const uniqueName = (base: string): string => `${base}_${randomBytes(4).toString("hex")}`

/** A fresh, migrated copy of the write side's database. */
export const createCommandDatabase = (base: string): Promise<TestDatabase> => {
  const { commandDatabaseUrl, passwords } = readDatabases()
  const { command_app, capture, base_loader } = passwords
  return createFrom("command", base, commandDatabaseUrl, (adminUrl) =>
    migrateCommandDatabase({ adminUrl, passwords: { command_app, capture, base_loader } }),
  )
}

/** A fresh, migrated copy of the read side's database. */
export const createQueryDatabase = (base: string): Promise<TestDatabase> => {
  const { queryDatabaseUrl, passwords } = readDatabases()
  const { projector, reader } = passwords
  return createFrom("query", base, queryDatabaseUrl, (adminUrl) =>
    migrateQueryDatabase({ adminUrl, passwords: { projector, reader } }),
  )
}

type Side = "command" | "query"
type Migrate = (adminUrl: string) => Promise<unknown>

const createFrom = async (
  side: Side,
  base: string,
  clusterUrl: string,
  migrate: Migrate,
): Promise<TestDatabase> => {
  const name = uniqueName(base)
  await inCluster(clusterUrl, async (client) => {
    const template = await ensureTemplate(client, side, clusterUrl, migrate)
    await client.query(`create database ${client.escapeIdentifier(name)} template ${template}`)
    // A copy has no grants of its own; the migrations gave this one to the template.
    if (side === "query")
      await client.query(`grant create on database ${client.escapeIdentifier(name)} to projector`)
  })
  const { passwords } = readDatabases()
  const adminUrl = withDatabase(clusterUrl, name)
  return {
    name,
    adminUrl,
    urlAs: (role) => withRole(adminUrl, role, passwords[role]),
    drop: () => inCluster(clusterUrl, (client) => dropDatabase(client, name)),
  }
}

// Test files run side by side, so a lock lets one of them make the template; it gets its name only when it is whole.
const ensureTemplate = async (
  client: pg.Client,
  side: Side,
  clusterUrl: string,
  migrate: Migrate,
): Promise<string> => {
  const template = `template_${side}_${migrationsVersion(side)}`
  await client.query("select pg_advisory_lock(hashtext($1))", [template])
  try {
    const found = await client.query("select 1 from pg_database where datname = $1", [template])
    if (found.rowCount !== 0) return template
    await client.query(`drop database if exists ${template}_new with (force)`)
    await client.query(`create database ${template}_new`)
    await migrate(withDatabase(clusterUrl, `${template}_new`))
    await client.query(`alter database ${template}_new rename to ${template}`)
    return template
  } finally {
    await client.query("select pg_advisory_unlock(hashtext($1))", [template])
  }
}

const migrationsVersion = (side: Side): string => {
  const directory = join(projectDirectory, "db", side, "migrations")
  const hash = createHash("sha256")
  for (const file of readdirSync(directory).sort()) hash.update(readFileSync(join(directory, file)))
  return hash.digest("hex").slice(0, 12)
}

const dropDatabase = async (client: pg.Client, name: string): Promise<void> => {
  const active = "select active_pid from pg_replication_slots where database = $1 and active_pid is not null"
  for (let attempt = 0; attempt < 50; attempt++) {
    const slots = await client.query<{ active_pid: number }>(active, [name])
    if (slots.rowCount === 0) break
    for (const { active_pid } of slots.rows)
      await client.query("select pg_terminate_backend($1)", [active_pid])
    await pause(100)
  }
  await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`)
}

const inCluster = async <T>(clusterUrl: string, run: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: withDatabase(clusterUrl, "postgres") })
  await client.connect()
  try {
    return await run(client)
  } finally {
    await client.end()
  }
}

const withDatabase = (url: string, database: string): string => {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

const withRole = (url: string, role: string, password: string): string => {
  const changed = new URL(url)
  changed.username = role
  changed.password = password
  return changed.href
}
