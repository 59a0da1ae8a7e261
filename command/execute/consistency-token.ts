// The `Consistency-Token` of an accepted command: what a reader must have applied to see it.
// Form: v1:<source>:<systemIdentifier>-<timeline>:<xid>:<lsn>, numbers in decimal. `xid` is the command's own
// 64-bit transaction id. `lsn` is read after the commit, so it lies behind the commit record and is an upper
// bound: whoever has applied everything up to it has applied the command. Identity and timeline name the
// history that both numbers belong to.
import { type Kysely, sql } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"

/**
 * The token of a transaction that has committed before this is called. A replayed answer gets a fresh bound:
 * a later one is an upper bound too.
 */
export async function tokenOf(db: Kysely<CommandDatabase>, source: string, xid: string): Promise<string> {
  const { rows } = await sql<{ token: string }>`
    select concat_ws(':', 'v1', ${source}::text, system_identifier || '-' || timeline_id, ${xid}::text,
      pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text) as token
    from pg_control_system(), pg_control_checkpoint()`.execute(db)
  const [row] = rows
  if (!row) throw new Error("Postgres did not tell its position")
  return row.token
}
