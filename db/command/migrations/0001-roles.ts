// Write side, before any table: the cluster roles. Roles outlive databases, so this one is written to find
// them there already, also when two databases of one cluster are migrated at the same moment.
import { type Kysely, sql } from "kysely"

const roles = { command_app: "login", capture: "login replication", base_loader: "login replication" }

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [role, attributes] of Object.entries(roles)) {
    await sql`
      do $$ begin
        create role ${sql.id(role)} ${sql.raw(attributes)};
      exception when duplicate_object or unique_violation then null;
      end $$`.execute(db)
  }
}
