// Several sources in one query database: their generations are numbered from one sequence, so that the schema of one
// is never another's, and no number is given twice.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create sequence cdc.generation_numbers as integer`.execute(db)
  await sql`
    select setval('cdc.generation_numbers', coalesce(max(generation), 0) + 1, false) from cdc.generations`.execute(
    db,
  )
  await sql`grant usage on sequence cdc.generation_numbers to projector`.execute(db)
  await sql`alter table cdc.generations add constraint generations_schema_name_key unique (schema_name)`.execute(
    db,
  )
}
