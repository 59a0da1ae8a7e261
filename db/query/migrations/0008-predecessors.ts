// Of a parked record that could not be read: which transaction's row it was taken for, so that a redrive, which can read
// it, knows whether it is that transaction's.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table cdc.dead_letters add column previous_commit_lsn bigint`.execute(db)
  await sql`comment on column cdc.dead_letters.previous_commit_lsn is 'commit LSN of the transaction before the one at commit_lsn, where a record that could not be read was taken for a row of that one'`.execute(
    db,
  )
  await sql`create index dead_letters_predecessor on cdc.dead_letters (source, generation, previous_commit_lsn)
    where previous_commit_lsn is not null`.execute(db)
}
