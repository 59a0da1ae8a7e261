// What is said of planned migrations. That the connector and the projector then really do it is shown by
// test/scenarios/drift-halts.cdc.test.ts, which also asks here about each of its cases.
// One file: it is one table of statements and verdicts.
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { orderProjections } from "../../../query/orders/projections.ts"
import { describeCapture } from "../../../query/preflight/captured.ts"
import { preflight } from "../../../query/preflight/preflight.ts"
import { describePreflight } from "../../../query/preflight/report.ts"
import type { Level } from "../../../query/preflight/verdict.ts"
import { projectDirectory } from "../../stack/layout.ts"

const captured = describeCapture(
  {
    "publication.name": "lockstep",
    "table.include.list":
      "public.customers,public.products,public.orders,public.order_items,public.payments,public.order_events,public.cdc_heartbeat",
    "signal.data.collection": "public.cdc_signals",
  },
  orderProjections,
)

type Case = { sql: string; level: Level; says?: RegExp }

const cases: Record<string, Case[]> = {
  "columns are added": [
    { sql: "alter table orders add column colour text", level: "ok", says: /ignored until/ },
    {
      sql: "alter table orders add colour text not null default 'red'",
      level: "notice",
      says: /without a change/,
    },
    {
      sql: "alter table orders add colour text default 'red'",
      level: "notice",
      says: /sends the default in place of null/,
    },
    {
      sql: "alter table orders add token uuid not null default gen_random_uuid()",
      level: "notice",
      says: /rewritten/,
    },
    { sql: "alter table orders add n bigserial", level: "notice", says: /rewritten/ },
    {
      sql: "alter table orders add n bigint generated always as (total_minor * 2) stored",
      level: "notice",
      says: /generated/,
    },
    { sql: "alter table orders add column note text", level: "loses", says: /orders\.note is read/ },
  ],
  "columns are dropped and renamed": [
    { sql: "alter table orders drop column last_line", level: "ok", says: /not read/ },
    { sql: "alter table orders drop column note", level: "halts", says: /orders\.note is read/ },
    { sql: "alter table orders drop column if exists note cascade", level: "halts" },
    { sql: "alter table orders rename column last_line to lines", level: "ok" },
    { sql: "alter table orders rename note to remark", level: "halts" },
    { sql: "alter table orders rename last_line to note", level: "loses", says: /another column/ },
    { sql: "alter table cdc_heartbeat drop column timeline", level: "halts" },
  ],
  "columns get another type": [
    { sql: "alter table orders alter last_line type bigint", level: "ok" },
    {
      sql: "alter table order_items alter unit_price_minor type integer",
      level: "notice",
      says: /read exactly/,
    },
    {
      sql: "alter table order_items alter quantity type bigint",
      level: "halts",
      says: /integer and becomes bigint/,
    },
    { sql: "alter table orders alter note type varchar(400)", level: "notice" },
    { sql: "alter table orders alter note type text using upper(note)", level: "loses", says: /USING/ },
    { sql: "alter table orders alter note type varchar(3) using note::varchar(3)", level: "loses" },
    { sql: "alter table orders alter note type jsonb using note::jsonb", level: "halts" },
    {
      sql: "alter table orders alter status type order_status using status::order_status",
      level: "notice",
      says: /enum/,
    },
    { sql: "alter table orders alter version type counter", level: "halts", says: /does not define/ },
    { sql: "alter table orders alter created_at type timestamp", level: "halts" },
    { sql: "alter table orders alter created_at type timestamptz(0)", level: "loses", says: /rounded/ },
    { sql: "alter table products alter price_minor type numeric(12, 2)", level: "halts" },
    { sql: "alter table orders alter note type text[] using array[note]", level: "halts" },
  ],
  "columns get another default or nullability": [
    { sql: "alter table orders alter note set default 'none'", level: "halts", says: /in place of null/ },
    { sql: "alter table orders alter note set default null", level: "ok" },
    { sql: "alter table orders alter total_minor drop default", level: "ok" },
    { sql: "alter table orders alter last_line set default 1", level: "ok" },
    {
      sql: "alter table orders alter note set not null",
      level: "notice",
      says: /has not sent yet reads as an empty value/,
    },
    { sql: "alter table products alter weight_grams drop not null", level: "halts" },
    { sql: "alter table orders alter last_line drop not null", level: "ok" },
    { sql: "alter table order_items alter product_id set storage external", level: "notice" },
  ],
  "keys and identities change": [
    { sql: "alter table orders drop constraint orders_pkey", level: "halts", says: /no primary key/ },
    { sql: "alter table orders drop constraint orders_status_check", level: "notice" },
    { sql: "alter table orders add check (total_minor >= 0) not valid", level: "ok" },
    {
      sql: "alter table payments drop constraint payments_pkey, add primary key (payment)",
      level: "halts",
      says: /becomes \(payment\)/,
    },
    {
      sql: "alter table payments drop constraint payments_pkey, add primary key (payment, order_id)",
      level: "notice",
    },
    { sql: "alter table payments add primary key using index payments_new", level: "halts" },
    { sql: "alter table orders replica identity full", level: "notice" },
    { sql: "alter table orders replica identity default", level: "ok" },
    { sql: "alter table orders replica identity nothing", level: "halts" },
    { sql: "alter table orders replica identity using index orders_number", level: "loses" },
  ],
  "tables come, go and move": [
    { sql: "create table wishes (id text primary key)", level: "ok" },
    { sql: "create table if not exists orders (id text)", level: "notice" },
    { sql: "create table orders (id text)", level: "loses", says: /publication holds the old one/ },
    { sql: "create table wishes partition of orders for values in ('a')", level: "unknown" },
    { sql: "drop table wishes, payments", level: "loses", says: /payments goes/ },
    { sql: "drop table wishes", level: "ok" },
    { sql: "alter table orders rename to purchases", level: "loses", says: /captured by name/ },
    { sql: "alter table orders_new rename to orders", level: "loses" },
    { sql: "alter table orders set schema sales", level: "loses" },
    { sql: "alter schema public rename to sales", level: "loses" },
    { sql: "drop schema public cascade", level: "loses" },
    { sql: "alter table orders enable row level security", level: "loses", says: /base load/ },
    { sql: "alter table orders attach partition x for values in ('a')", level: "unknown" },
    { sql: "vacuum full orders", level: "ok" },
    { sql: "create index concurrently on orders (note)", level: "ok" },
    { sql: "drop index orders_customer", level: "ok" },
    { sql: "drop type order_status cascade", level: "unknown" },
    { sql: "drop type order_status", level: "ok" },
  ],
  "the publication changes": [
    { sql: "drop publication lockstep", level: "loses" },
    { sql: "drop publication other", level: "ok" },
    { sql: "alter publication lockstep rename to other", level: "loses" },
    { sql: "alter publication lockstep add table wishes", level: "notice", says: /nobody captures it yet/ },
    { sql: "alter publication lockstep drop table wishes", level: "ok" },
    { sql: "alter publication lockstep drop table orders", level: "loses" },
    { sql: "alter publication lockstep set table orders", level: "loses", says: /is not in the new list/ },
    {
      sql: "alter publication lockstep set (publish = 'insert, update')",
      level: "loses",
      says: /leaves out delete, truncate/,
    },
    { sql: "alter publication lockstep set (publish = 'insert, update, delete, truncate')", level: "ok" },
    { sql: "alter publication lockstep add table orders where (id <> 'x')", level: "loses" },
    {
      sql: "alter publication lockstep add table orders (id, note)",
      level: "halts",
      says: /without customer_id/,
    },
    { sql: "alter publication other drop table orders", level: "ok" },
    { sql: "create publication lockstep for all tables", level: "notice" },
  ],
  "rows are written": [
    { sql: "update orders set note = null", level: "notice", says: /one transaction/ },
    { sql: "update orders set note = null where id = 'x'", level: "ok" },
    { sql: "delete from wishes", level: "ok" },
    { sql: "with gone as (delete from orders returning *) select count(*) from gone", level: "notice" },
    { sql: "merge into orders o using wishes w on o.id = w.id when matched then delete", level: "notice" },
    { sql: "truncate orders", level: "halts", says: /names no rows/ },
    { sql: "truncate wishes cascade", level: "unknown" },
    { sql: "select setval('numbers', 10)", level: "ok" },
    { sql: "select migrate_orders()", level: "unknown", says: /migrate_orders/ },
    { sql: "select pg_drop_replication_slot('ecommerce_slot')", level: "loses" },
  ],
  "it cannot be told": [
    { sql: "do $$ begin delete from orders; end $$", level: "unknown" },
    { sql: "call migrate()", level: "unknown" },
    { sql: "execute planned", level: "unknown" },
    { sql: "alter type order_status rename value 'draft' to 'new'", level: "unknown" },
    { sql: "alter type order_status add value 'on_hold'", level: "notice" },
    { sql: "create function f() returns void language sql as 'delete from orders'", level: "ok" },
    { sql: "create trigger t after insert on orders execute function f()", level: "notice" },
    { sql: "create rule r as on insert to orders do also delete from orders", level: "unknown" },
    { sql: "revoke select on orders from base_loader", level: "notice" },
  ],
  "names are other ones": [
    { sql: 'alter table "Orders" drop column note', level: "ok" },
    { sql: 'alter table "orders" drop column "Note"', level: "ok" },
    { sql: 'ALTER TABLE PUBLIC."orders" DROP COLUMN NOTE', level: "halts" },
    { sql: "alter table sales.orders drop column note", level: "ok" },
    { sql: "set search_path = sales; alter table orders drop column note", level: "notice" },
    { sql: "set search_path to sales, public; alter table public.orders drop column note", level: "halts" },
    { sql: "alter view orders_seen rename column note to remark", level: "ok" },
  ],
}

describe.each(Object.entries(cases))("when %s", (_, list) => {
  test.each(list)("$sql", async ({ sql, level, says }) => {
    const result = await preflight(sql, captured)
    expect(result.level).toBe(level)
    expect(result.isRisky).toBe(["halts", "loses", "unknown"].includes(level))
    if (says) expect(result.findings.map(({ what }) => what).join("\n")).toMatch(says)
    for (const finding of result.findings) {
      if (finding.level !== "ok" && finding.level !== "notice") expect(finding.next).not.toBeNull()
    }
  })
})

describe("a file", () => {
  test.each(["", " \n\t\n", "-- nothing yet\n/* nor here */\n", "\uFEFF", ";;\n;"])(
    "with no statement (%j) is no risk",
    async (sql) => {
      expect(await preflight(sql, captured)).toEqual({
        statements: 0,
        findings: [],
        level: "ok",
        isRisky: false,
      })
    },
  )

  test("is judged statement by statement, each with its line, also several on one", async () => {
    const sql = [
      "-- Zoë's migration 😀",
      "begin; alter table orders drop column note; alter table orders add column colour text;",
      "",
      "/* the last",
      "   one */ drop table payments",
    ].join("\n")
    const { statements, findings } = await preflight(sql, captured)
    expect(statements).toBe(4)
    expect(findings.map(({ line, statement, level }) => [line, statement, level])).toEqual([
      [2, "begin", "ok"],
      [2, "alter table orders drop column note", "halts"],
      [2, "alter table orders add column colour text", "ok"],
      [5, "drop table payments", "loses"],
    ])
  })

  test.each([
    { sql: "select 1;\n\nalter tabel orders add x text;", line: 3, says: "tabel" },
    { sql: "select '😀é';\nselect 1 2", line: 2, says: '"2"' },
    { sql: "select 'unterminated\n\n", line: 1, says: "unterminated" },
    { sql: "copy orders from stdin;\na\tb\n\\.\n", line: 2, says: "syntax error" },
    { sql: "select :variable", line: 1, says: "syntax error" },
  ])("that is not SQL is refused with its line: $sql", async ({ sql, line, says }) => {
    await expect(preflight(sql, captured)).rejects.toMatchObject({
      name: "MigrationSyntaxError",
      line,
      message: expect.stringContaining(says),
    })
  })

  test("with commands for psql is read around them, and what they may do is not passed over", async () => {
    const { findings } = await preflight(
      "\\set ON_ERROR_STOP on\n\\i other.sql\ndrop table payments;\n\\gexec\n",
      captured,
    )
    expect(findings.map(({ line, level }) => [line, level])).toEqual([
      [1, "ok"],
      [2, "unknown"],
      [3, "loses"],
      [4, "unknown"],
    ])
  })

  test("is told in words: where it matters, what happens where and what next", async () => {
    const sql = "alter table orders drop column note;\nselect 1"
    expect(describePreflight("m.sql", await preflight(sql, captured)).split("\n")).toEqual([
      "line 1  HALTS  alter table orders drop column note",
      "  public.orders.note is read, and later records do not have it.",
      expect.stringMatching(/^ {2}connector {2}sends the new form/),
      expect.stringMatching(/^ {2}registry {3}gets a new schema/),
      expect.stringMatching(/^ {2}projector {2}applies everything before .* halts/),
      expect.stringMatching(/^ {2}cache {6}answers stay/),
      expect.stringMatching(/^ {2}what next {2}First deploy/),
      "line 2  OK  select 1",
      "  No captured table is written.",
      "m.sql: 2 statements; look before you run it (halts)",
    ])
  })
})

describe("the command", () => {
  const directory = mkdtempSync(join(tmpdir(), "preflight-"))
  afterAll(() => rmSync(directory, { recursive: true }))

  const run = (...more: string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["query/lockstep.mjs", "connector", "preflight", ...more],
      { cwd: projectDirectory, encoding: "utf8", env: { PATH: process.env.PATH } },
    )
    return { status, stdout, stderr }
  }
  const file = (sql: string) => {
    const path = join(directory, "migration.sql")
    writeFileSync(path, sql)
    return path
  }

  test("needs no stack, judges against the connector's own settings and tells by its exit code", () => {
    expect(run(file("alter table orders add column colour text"))).toMatchObject({ status: 0, stderr: "" })
    const risky = run(file("alter table payments drop column provider"), "--json")
    expect(risky.status).toBe(3)
    expect(JSON.parse(risky.stdout)).toMatchObject({
      level: "halts",
      findings: [{ line: 1, level: "halts", what: expect.stringContaining("public.payments.provider") }],
    })
  })

  test("fails with 1 for what is not SQL or not there, and with 2 for wrong usage", () => {
    expect(run(file("drop everything"))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("line 1: syntax error"),
    })
    expect(run(join(directory, "absent.sql")).status).toBe(1)
    expect(run().status).toBe(2)
  })
})
