// Where texts that occur nowhere else have left traces on the read side of a system, and faults that make it keep more
// of them: rows that are refused, generations left behind.
import { Redis } from "ioredis"
import type pg from "pg"
import { readEndpoints } from "../../stack/endpoints.ts"
import { openedForFile } from "../../support/opened.ts"
import type { System } from "../../support/system.ts"

export type Traces = {
  /** Every row of every table in which the text occurs: as text, in JSON or in bytes. */
  rowsWith: (pool: pg.Pool, text: string) => Promise<string[]>
  /** Names of cached answers of any epoch in which it occurs, or whose name has it. */
  answersWith: (text: string) => Promise<string[]>
  /** Makes the live generation refuse rows that hold the text. */
  refuse: (table: string, column: string, text: string) => Promise<void>
  /** A generation that an interrupted rebuild has left behind, with a transaction that was staged in it. */
  leaveGeneration: (mark: string) => Promise<void>
  /** How many dead letters are in which state. */
  deadLetters: () => Promise<Record<string, number>>
  close: () => void
}

/** Eyes on a system for all tests of the file. */
export function givenTraces(system: System): Omit<Traces, "close"> {
  const traces = openedForFile(
    () => createTraces(system),
    (opened) => opened.close(),
  )
  return {
    rowsWith: (pool, text) => traces().rowsWith(pool, text),
    answersWith: (text) => traces().answersWith(text),
    refuse: (table, column, text) => traces().refuse(table, column, text),
    leaveGeneration: (mark) => traces().leaveGeneration(mark),
    deadLetters: () => traces().deadLetters(),
  }
}

function createTraces(system: System): Traces {
  const redis = new Redis(readEndpoints().redisUrl)
  return {
    async rowsWith(pool, text) {
      const { rows: tables } = await pool.query<{ name: string }>(
        `select format('%I.%I', schemaname, tablename) as name from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')`,
      )
      const found: string[] = []
      for (const { name } of tables) {
        const { rows } = await pool.query<{ row: string }>(
          `select to_jsonb(t)::text as row from ${name} t
           where position($1 in to_jsonb(t)::text) > 0
              or position(encode(convert_to($1, 'UTF8'), 'hex') in to_jsonb(t)::text) > 0`,
          [text],
        )
        found.push(...rows.map(({ row }) => `${name} ${row}`))
      }
      return found
    },

    async answersWith(text) {
      const names = await redis.keys(`lockstep:${system.topicPrefix}:[0-9]*`)
      const values = names.length > 0 ? await redis.mget(names) : []
      return names.filter((name, index) => `${name} ${values[index]}`.includes(text))
    },

    async refuse(table, column, text) {
      await system.reads.query(`
        create or replace function refuse_${table}() returns trigger language plpgsql as
        $$ begin raise exception 'the ${column} "%" is refused', new.${column}; end $$;
        create or replace trigger refuse before insert or update on ${await system.liveSchema()}.${table} for each row
        when (new.${column} like '%${text}%') execute function refuse_${table}()`)
    },

    async leaveGeneration(mark) {
      const live = await system.liveSchema()
      await system.reads.query(`
        create schema read_900 authorization projector;
        create table read_900.customers as select * from ${live}.customers;
        create table read_900.orders as select * from ${live}.orders;
        create unlogged table read_900._staged_rows as select '${mark} staged'::text as record;
        alter table read_900.customers owner to projector;
        alter table read_900.orders owner to projector;
        alter table read_900._staged_rows owner to projector;
        insert into cdc.generations (source, generation, schema_name, projection_version, state)
        values ('${system.topicPrefix}', 900, 'read_900', 'former', 'retired')`)
    },

    async deadLetters() {
      const { rows } = await system.reads.query<{ state: string; count: number }>(
        "select state, count(*)::integer as count from cdc.dead_letters group by 1",
      )
      return Object.fromEntries(rows.map(({ state, count }) => [state, count]))
    },

    close: () => redis.disconnect(),
  }
}
