// Row changes that could not be applied, parked with the progress of their generation: the bytes as they came, where
// they belong in history as far as it is known, and what became of them. And what operators did about them.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table cdc.dead_letters (
      id bigint generated always as identity primary key,
      source text not null,
      generation integer not null,
      topic text not null,
      partition integer not null,
      kafka_offset bigint not null,
      record_key bytea,
      record_value bytea,
      record_headers jsonb not null,
      table_name text not null,
      row_key text[],
      xid bigint,
      lsn bigint,
      commit_lsn bigint,
      is_placed boolean not null,
      value_places jsonb not null default '{}',
      code text not null,
      message text not null,
      state text not null default 'parked' check (state in ('parked', 'applied', 'superseded', 'discarded')),
      attempts integer not null default 0,
      last_error text,
      last_request bigint,
      parked_at timestamptz not null default now(),
      resolved_at timestamptz,
      published_at timestamptz,
      unique (source, generation, topic, partition, kafka_offset)
    )`.execute(db)
  await sql`comment on column cdc.dead_letters.row_key is 'null: the key could not be read'`.execute(db)
  await sql`comment on column cdc.dead_letters.is_placed is 'whether it is known which transaction misses it, or that none does'`.execute(
    db,
  )
  await sql`comment on column cdc.dead_letters.value_places is 'by column: commit LSN and LSN of the newest change of the row since that carried a value'`.execute(
    db,
  )
  // Every answer counts what is parked, so this must cost nothing when nothing is.
  await sql`
    create index dead_letters_parked on cdc.dead_letters (source, generation, table_name, row_key)
    where state = 'parked'`.execute(db)
  await sql`create index dead_letters_unpublished on cdc.dead_letters (source) where published_at is null`.execute(
    db,
  )
  await sql`
    create table cdc.operator_actions (
      id bigint generated always as identity primary key,
      source text not null,
      at timestamptz not null default now(),
      actor text not null,
      action text not null,
      detail jsonb not null default '{}'
    )`.execute(db)
  await sql`alter table cdc.requests drop constraint requests_kind_check`.execute(db)
  await sql`
    alter table cdc.requests
    add constraint requests_kind_check check (kind in ('rebuild', 'redrive', 'discard')),
    add column arguments jsonb not null default '{}'`.execute(db)
  // What a dry run shows may hold personal data, and so do parked records: readers see only what they count.
  await sql`revoke select on cdc.requests from reader`.execute(db)
  await sql`grant select (id, source, kind, state, requested_at, started_at) on cdc.requests to reader`.execute(
    db,
  )
  await sql`
    grant select (source, generation, state, table_name, row_key, parked_at) on cdc.dead_letters to reader`.execute(
    db,
  )
  await sql`grant select, insert, update, delete on cdc.dead_letters to projector`.execute(db)
  await sql`grant select, insert on cdc.operator_actions to projector`.execute(db)
}
