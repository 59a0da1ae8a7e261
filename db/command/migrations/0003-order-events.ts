// `order_events` is event store and outbox in one: append-only, one row per accepted command, written in the
// command's transaction. Its primary key is the optimistic lock. `idempotency_keys` keeps the finished answer
// of a keyed command, written in the same transaction too; `xid` is that transaction's id, so that a replayed
// answer names the same transaction in its `Consistency-Token`.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table order_events (
      order_id text not null,
      version integer not null check (version > 0),
      type text not null,
      payload jsonb not null default '{}',
      actor text,
      reason text,
      request_id text,
      traceparent text,
      occurred_at timestamptz not null default now(),
      primary key (order_id, version)
    )`.execute(db)
  await sql`
    create table idempotency_keys (
      key text primary key,
      fingerprint text not null,
      status integer not null,
      headers jsonb not null,
      body text not null,
      xid xid8 not null default pg_current_xact_id(),
      created_at timestamptz not null default now()
    )`.execute(db)
  await sql`create index idempotency_keys_age on idempotency_keys (created_at)`.execute(db)
}
