// What a stream could not tell apart is refused before a row is copied, with the statement that helps.
import pg from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import { assertSourceColumns } from "../../../../query/cdc/generations/source-columns.ts"
import {
  bytea,
  type Column,
  integer,
  integerArray,
  json,
  jsonb,
  longText,
  numeric,
  smallint,
  textArray,
} from "../../../../query/cdc/projection/columns.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { sampleDdl, sampleProjections } from "../../../scenarios/given/samples.ts"
import { createCommandDatabase, type TestDatabase } from "../../../support/databases.ts"

let database: TestDatabase
let session: pg.Client

beforeAll(async () => {
  database = await createCommandDatabase("source_columns")
  session = new pg.Client({ connectionString: database.adminUrl })
  await session.connect()
  await session.query(sampleDdl)
  await session.query(`
    create domain worth as price;
    create table given (
      id integer primary key, n numeric, w worth, t text, m money, j json, e mood, photo bytea, tags text[],
      counts integer[]
    )`)
})

afterAll(async () => {
  await session?.end()
  await database?.drop()
})

const check = (column: Column): Promise<void> =>
  assertSourceColumns(session, [{ name: "given", key: [integer("id")], columns: [column], indexes: [] }])

test("tables whose columns are what the projections say pass", async () => {
  await assertSourceColumns(session, sampleProjections.tables)
  await assertSourceColumns(session, orderProjections.tables)
  for (const column of [numeric("n"), numeric("w"), longText("t"), json("j"), longText("e")]) {
    await check(column)
  }
})

test.each([
  { column: longText("none"), says: "column none is missing" },
  { column: longText("n"), says: "column n is numeric, not text" },
  { column: longText("m"), says: "column m is money, not text" },
  { column: integer("e"), says: "column e is enum, not integer" },
  { column: numeric("t"), says: "column t is text, not numeric" },
  { column: jsonb("j"), says: "column j is json, not jsonb" },
  { column: smallint("id"), says: "column id is integer, not smallint" },
])("$says: refused", async ({ column, says }) => {
  await expect(check(column)).rejects.toMatchObject({
    code: "incompatible-schema",
    message: expect.stringContaining(says),
    detail: { table: "given" },
  })
})

test.each([bytea("photo"), integerArray("counts")])(
  "$name must keep out the placeholder, as the next step says",
  async (column) => {
    const refused = await check(column).then(
      () => expect.unreachable("it may hold the placeholder"),
      (error: unknown) => error,
    )
    expect(refused).toMatchObject({ code: "incompatible-schema" })
    await session.query(statementOf(refused))
    await check(column)
  },
)

test("arrays of several dimensions and with other bounds are refused, and kept out from then on", async () => {
  for (const value of ["{{a,b},{c,d}}", "[0:1]={a,b}"]) {
    await session.query("insert into given (id, tags) values (1, $1)", [value])
    const refused = await check(textArray("tags")).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: "incompatible-schema" })
    await session.query("delete from given")
    await session.query("begin")
    await session.query(statementOf(refused))
    await expect(session.query("insert into given (id, tags) values (1, $1)", [value])).rejects.toThrow(
      /check/,
    )
    await session.query("rollback")
  }
  await session.query(`insert into given (id, tags) values (1, '{}'), (2, null), (3, '{a,NULL}')`)
  await check(textArray("tags"))
})

/** The SQL in an error's next step. */
function statementOf(error: unknown): string {
  const nextStep =
    typeof error === "object" && error !== null && "nextStep" in error ? String(error.nextStep) : ""
  return nextStep.slice(nextStep.indexOf("alter table"))
}
