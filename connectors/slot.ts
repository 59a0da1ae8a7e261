// The connector seen from Postgres: its replication slot and its publication. Read only. Connect's own status says
// RUNNING while a task retries for ever; a connector that works has an active slot that moves.
// https://www.postgresql.org/docs/18/view-pg-replication-slots.html
import pg from "pg"
import { z } from "zod"

const slotSchema = z.object({
  plugin: z.string(),
  database: z.string(),
  active: z.boolean(),
  activePid: z.number().nullable(),
  restartLsn: z.string().nullable(),
  confirmedFlushLsn: z.string().nullable(),
  /** reserved, extended, unreserved or lost; null where Postgres keeps no WAL for the slot. */
  walStatus: z.string().nullable(),
  invalidationReason: z.string().nullable(),
  inactiveSince: z.string().nullable(),
  /** WAL that the connector has not confirmed, in bytes. */
  lagBytes: z.coerce.bigint().nullable(),
  /** WAL that Postgres keeps on disk for this slot, in bytes. */
  retainedBytes: z.coerce.bigint().nullable(),
})

export type Slot = z.infer<typeof slotSchema>

type Publication = {
  /** `schema.table` names, sorted. */
  tables: string[]
  /** The operations (of insert, update, delete and truncate) that the publication does not publish. */
  unpublished: string[]
  /** Tables of which the publication publishes some rows only. */
  filtered: string[]
  /** Tables whose deletes do not name rows by their primary key. */
  misidentified: string[]
}

export type Capture = {
  currentLsn: string
  database: string
  slot: Slot | null
  publication: Publication | null
}

/** The slot and the publication as they are now. The publication lies in `databaseName` or in the URL's database. */
export async function readCapture(options: {
  adminUrl: string
  databaseName?: string | undefined
  slotName: string
  publicationName: string
}): Promise<Capture> {
  const client = new pg.Client({
    connectionString: urlOfDatabase(options.adminUrl, options.databaseName),
    application_name: "connectors",
    connectionTimeoutMillis: 10_000,
    statement_timeout: 10_000,
  })
  // A connection that breaks between two statements reports its error here; the next statement then fails by itself.
  client.on("error", () => {})
  await client.connect()
  try {
    const place = await client.query<{ lsn: string; database: string }>(
      `select pg_current_wal_lsn()::text as lsn, current_database() as database`,
    )
    return {
      currentLsn: place.rows[0]?.lsn ?? "0/0",
      database: place.rows[0]?.database ?? "",
      slot: await readSlot(client, options.slotName),
      publication: await readPublication(client, options.publicationName),
    }
  } finally {
    await client.end()
  }
}

async function readSlot(client: pg.Client, slotName: string): Promise<Slot | null> {
  const { rows } = await client.query(
    `select plugin, database, active, active_pid as "activePid",
            restart_lsn::text as "restartLsn", confirmed_flush_lsn::text as "confirmedFlushLsn",
            wal_status as "walStatus", invalidation_reason as "invalidationReason",
            inactive_since::text as "inactiveSince",
            pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint::text as "lagBytes",
            pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint::text as "retainedBytes"
       from pg_replication_slots where slot_name = $1`,
    [slotName],
  )
  return rows.length === 0 ? null : slotSchema.parse(rows[0])
}

async function readPublication(client: pg.Client, name: string): Promise<Publication | null> {
  const { rows } = await client.query<Publication>(
    `with published as (
       select t.schemaname || '.' || t.tablename as name, t.rowfilter is not null as is_filtered,
              c.relreplident not in ('d', 'f') as is_misidentified
         from pg_publication_tables t
         join pg_namespace n on n.nspname = t.schemaname
         join pg_class c on c.relnamespace = n.oid and c.relname = t.tablename
        where t.pubname = $1
     )
     select coalesce((select array_agg(name order by 1) from published), '{}') as tables,
            coalesce((select array_agg(name order by 1) from published where is_filtered), '{}') as filtered,
            coalesce((select array_agg(name order by 1) from published where is_misidentified), '{}') as misidentified,
            array_remove(array[case when not pubinsert then 'insert' end, case when not pubupdate then 'update' end,
                               case when not pubdelete then 'delete' end,
                               case when not pubtruncate then 'truncate' end], null) as unpublished
       from pg_publication p where p.pubname = $1`,
    [name],
  )
  return rows[0] ?? null
}

function urlOfDatabase(adminUrl: string, databaseName: string | undefined): string {
  if (databaseName === undefined) return adminUrl
  const url = new URL(adminUrl)
  url.pathname = `/${encodeURIComponent(databaseName)}`
  return url.toString()
}
