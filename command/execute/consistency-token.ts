// The `Consistency-Token` of an accepted command: it says how much the read side must have applied to show the command.
// Form: v1:<source>:<systemIdentifier>-<timeline>:<xid>:<lsn>, numbers in decimal. `xid` is the command's own
// 64-bit transaction id. The service reads `lsn` after the commit, so `lsn` lies after the commit record and is an
// upper bound: a read side that has applied everything up to `lsn` has applied the command. Example: the commit ends
// at 1000, `lsn` is 1040, and position 1040 shows the command. Identifier and timeline name the history of both numbers.
import { type Kysely, sql } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"

/**
 * The token of a transaction that committed before this call. A replayed answer gets a fresh `lsn`: a later LSN is an
 * upper bound, too.
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
