// What is told to others: one row per event, written in the transaction that applies the row changes it tells of. Its id says
// in which sequence events are published. A published one keeps its identity for good, so that nothing tells it again,
// and lets go of what it said.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table cdc.outbox (
      id bigint generated always as identity primary key,
      source text not null,
      aggregate text not null,
      number text not null,
      inferred boolean not null,
      type text not null,
      occurred_at timestamptz,
      traceparent text,
      data jsonb,
      commit_lsn bigint not null,
      xid bigint,
      written_at timestamptz not null default clock_timestamp(),
      published_at timestamptz,
      unique (source, aggregate, number)
    )`.execute(db)
  await sql`
    comment on column cdc.outbox.number is 'of a recorded event its number, of an inferred one the place in history'`.execute(
    db,
  )
  await sql`
    comment on column cdc.outbox.xid is 'null: it came with a base load, so its transaction is not known'`.execute(
    db,
  )
  await sql`create index outbox_waiting on cdc.outbox (source, id) where published_at is null`.execute(db)
  await sql`grant select, insert, update on cdc.outbox to projector`.execute(db)
  await sql`grant select (source, id, written_at, published_at) on cdc.outbox to reader`.execute(db)
}
