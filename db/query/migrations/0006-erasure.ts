// Dead letters of which nothing may be kept: the bytes are gone, and the entry says that there were some.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table cdc.dead_letters drop constraint dead_letters_state_check,
    add constraint dead_letters_state_check
      check (state in ('parked', 'applied', 'superseded', 'discarded', 'erased'))`.execute(db)
}
