// What the engine remembers, all of it in the database of the read models, so that it moves in the same
// transaction as they do: who may write (leases), which history this is (sources), which complete set of
// tables serves (generations), how far it is (progress, resume offsets, applied xids), what an operator
// asked for (requests) and what the projector is doing right now (projector_status).
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create schema cdc`.execute(db)
  await sql`
    create table cdc.sources (
      source text primary key,
      epoch integer not null,
      system_identifier text not null,
      timeline integer not null,
      live_generation integer,
      cache_epoch bigint not null default 1
    )`.execute(db)
  await sql`
    create table cdc.leases (
      source text primary key,
      holder text not null,
      lease_epoch bigint not null,
      expires_at timestamptz not null
    )`.execute(db)
  await sql`
    create table cdc.generations (
      source text not null,
      generation integer not null,
      schema_name text not null,
      projection_version text not null,
      state text not null check (state in ('loading', 'live', 'retired')),
      base_lsn bigint,
      rows_expected bigint not null default 0,
      rows_loaded bigint not null default 0,
      started_at timestamptz not null default now(),
      completed_at timestamptz,
      primary key (source, generation)
    )`.execute(db)
  await sql`
    create table cdc.progress (
      source text not null,
      generation integer not null,
      lease_epoch bigint not null,
      position bigint not null,
      base_lsn bigint not null,
      last_end bigint not null,
      last_end_offset bigint not null,
      transactions bigint not null default 0,
      changes bigint not null default 0,
      heartbeat_at timestamptz,
      applied_at timestamptz not null default now(),
      primary key (source, generation)
    ) with (fillfactor = 50)`.execute(db)
  await sql`
    create table cdc.resume_offsets (
      source text not null,
      generation integer not null,
      topic text not null,
      partition integer not null,
      next_offset bigint not null,
      primary key (source, generation, topic, partition)
    ) with (fillfactor = 50)`.execute(db)
  await sql`
    create table cdc.applied_xids (
      source text not null,
      xid bigint not null,
      commit_lsn bigint not null,
      applied_at timestamptz not null default now(),
      primary key (source, xid, commit_lsn)
    )`.execute(db)
  await sql`create index applied_xids_age on cdc.applied_xids (applied_at)`.execute(db)
  await sql`
    create table cdc.requests (
      id bigint generated always as identity primary key,
      source text not null,
      kind text not null check (kind in ('rebuild')),
      state text not null default 'pending' check (state in ('pending', 'running', 'done', 'failed')),
      progress jsonb not null default '{}',
      error text,
      requested_by text,
      requested_at timestamptz not null default now(),
      started_at timestamptz,
      finished_at timestamptz
    )`.execute(db)
  await sql`
    create table cdc.projector_status (
      source text primary key,
      holder text not null,
      state text not null check (state in ('starting', 'loading', 'following', 'waiting', 'retrying', 'halted')),
      reason text,
      next_step text,
      detail jsonb not null default '{}',
      since timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db)
  await sql`grant usage on schema cdc to projector, reader`.execute(db)
  await sql`grant select, insert, update, delete on all tables in schema cdc to projector`.execute(db)
  await sql`grant select on all tables in schema cdc to reader`.execute(db)
}
