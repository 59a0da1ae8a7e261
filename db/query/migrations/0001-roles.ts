// Read side, before any table: `projector` owns the read models and is the only writer; `reader` only selects.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const role of ["projector", "reader"]) {
    await sql`
      do $$ begin
        create role ${sql.id(role)} login;
      exception when duplicate_object or unique_violation then null;
      end $$`.execute(db)
  }
  // The projector makes one schema per generation.
  await sql`
    do $$ begin
      execute format('grant create on database %I to projector', current_database());
    end $$`.execute(db)
}
