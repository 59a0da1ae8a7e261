// The tables of the row kinds' tests: `samples` has a column of every type that the engine takes, `lines` a key of
// two parts and a derived model, `odd` what the connector cannot send exactly and nobody mirrors.
import {
  bigint,
  bigintArray,
  boolean,
  bytea,
  date,
  doublePrecision,
  integer,
  integerArray,
  json,
  jsonb,
  longText,
  numeric,
  real,
  smallint,
  text,
  textArray,
  time,
  timestamp,
  timestamptz,
  uuid,
} from "../../../query/cdc/projection/columns.ts"
import type { Projections } from "../../../query/cdc/projection/projection.ts"
import { storablePlaceholder } from "../../../query/cdc/projection/unavailable-value.ts"

const isSent = (column: string, type: string): string => `check (${column} <> ${storablePlaceholder(type)})`

export const sampleTables = ["samples", "lines", "odd"]

export const sampleDdl = `
  create type mood as enum ('happy', 'sad');
  create domain price as numeric(12, 2);
  create table samples (
    id bigint primary key,
    label varchar(100), body text, code char(5), mood mood, ref uuid, raw json, facts jsonb,
    small smallint, n integer, big bigint, amount numeric, price price, factor real, ratio double precision,
    active boolean, born date, opens time, noted timestamp, seen timestamptz,
    photo bytea ${isSent("photo", "bytea")},
    tags text[],
    counts integer[] ${isSent("counts", "integer[]")},
    totals bigint[] ${isSent("totals", "bigint[]")}
  );
  -- Else a numeric leaves the row only when nothing else is left to.
  alter table samples alter column amount set storage external;
  create table lines (
    book text, line integer, note text, amount bigint not null default 0,
    primary key (book, line)
  );
  create table odd (id integer primary key, tags text[], counts integer[], noted timestamp)`

export const sampleProjections: Projections = {
  version: "samples",
  heartbeatTable: "cdc_heartbeat",
  recomputed: [],
  cache: { ofRow: () => [], ofGroup: () => [], found: {} },
  tables: [
    {
      name: "samples",
      key: [bigint("id")],
      columns: [
        longText("label"),
        longText("body"),
        text("code"),
        text("mood"),
        uuid("ref"),
        json("raw"),
        jsonb("facts"),
        smallint("small"),
        integer("n"),
        bigint("big"),
        numeric("amount"),
        numeric("price"),
        real("factor"),
        doublePrecision("ratio"),
        boolean("active"),
        date("born"),
        time("opens"),
        timestamp("noted"),
        timestamptz("seen"),
        bytea("photo"),
        textArray("tags"),
        integerArray("counts"),
        bigintArray("totals"),
      ],
      indexes: [],
    },
    {
      name: "lines",
      key: [text("book"), integer("line")],
      columns: [longText("note"), bigint("amount")],
      indexes: [],
    },
  ],
  derived: [
    {
      name: "book_totals",
      groupBy: [{ name: "book", type: "text" }],
      sums: ["lines", "amount"],
      touchedBy: ["lines"],
      contribution: (schema, aggregates) => `
        select book, count(*) as lines, sum(amount) as amount from ${schema}.lines
        where not deleted ${aggregates ? `and book = any(${aggregates})` : ""} group by book`,
      indexes: [],
    },
  ],
}

/** SQL of values that are too long, and too random to be compressed, to be stored in the row; `seed` tells them apart. */
export const long = (seed: string) => {
  const random = (what: string) => `md5(i::text || '${seed}')${what}`
  const over = (value: string) => `(select array_agg(${value}) from generate_series(1, 800) i)`
  const body = `(select string_agg(${random("")}, '') from generate_series(1, 200) i)`
  return {
    body,
    raw: `('{"k":  "' || ${body} || '"}')::json`,
    facts: `('{"k": "' || ${body} || '"}')::jsonb`,
    amount: `(select string_agg(('x' || left(${random("")}, 7))::bit(28)::integer::text, '')::numeric from generate_series(1, 1500) i)`,
    photo: `decode(${body}, 'hex')`,
    tags: over(random("")),
    counts: over(`('x' || left(${random("")}, 8))::bit(32)::integer`),
    totals: over(`('x' || left(${random("")}, 16))::bit(64)::bigint`),
  }
}

export const longColumns = ["body", "raw", "facts", "amount", "photo", "tags", "counts", "totals"]
