// What capture needs: the heartbeat and signal tables, the publication, and every role's grants.
// The publication is owned here and nowhere else (`publication.autocreate.mode=disabled`).
// Nobody but the owner may TRUNCATE: a truncate cannot be projected row by row.
import { type Kysely, sql } from "kysely"

/** Tables whose row changes the connector streams; the read side mirrors all but the heartbeat. */
const capturedTables = ["customers", "products", "orders", "order_items", "payments", "order_events"]

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table cdc_heartbeat (
      id integer primary key,
      beat_at timestamptz not null,
      system_identifier text not null,
      timeline integer not null
    )`.execute(db)
  await sql`
    create table cdc_signals (
      id varchar(64) primary key,
      type varchar(32) not null,
      data varchar(2048)
    )`.execute(db)
  const captured = sql.join([...capturedTables, "cdc_heartbeat"].map((table) => sql.table(table)))
  await sql`create publication lockstep for table ${captured}, cdc_signals`.execute(db)

  await sql`grant usage on schema public to command_app, capture, base_loader`.execute(db)
  await sql`
    grant select, insert, update, delete
    on customers, products, inventory, discounts, shipping_rules, orders, order_items, payments,
       idempotency_keys
    to command_app`.execute(db)
  await sql`grant select, insert on order_events to command_app`.execute(db)
  await sql`grant select on ${captured} to capture, base_loader`.execute(db)
  await sql`grant select, insert, update, delete on cdc_heartbeat, cdc_signals to capture`.execute(db)
  await sql`
    grant execute on function pg_control_system(), pg_control_checkpoint()
    to command_app, capture, base_loader`.execute(db)
}
