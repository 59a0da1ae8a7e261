// Values of parked changes that a changed primary key took on to another row, where a redrive cannot follow them.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table cdc.dead_letters add column taken_places jsonb not null default '{}'`.execute(db)
  await sql`comment on column cdc.dead_letters.value_places is 'by column: place (commit LSN/LSN/xid) of the newest change of the row that carried a value'`.execute(
    db,
  )
  await sql`comment on column cdc.dead_letters.taken_places is 'by column: place of the newest changed primary key that took its value on to another row'`.execute(
    db,
  )
}
