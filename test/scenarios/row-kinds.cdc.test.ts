// SCENARIOS rows 8, 10 and 11: values that an update leaves alone and the WAL does not repeat, rows that change their
// primary key, tombstones and a TRUNCATE, on the real connector. Both sides must be equal after each story, in the
// mirrored rows and in the model derived from them.
import pg from "pg"
import { afterEach, describe, expect, test } from "vitest"
import { createDecoder } from "../../query/cdc/decode/decode.ts"
import { unavailablePlaceholder } from "../../query/cdc/projection/unavailable-value.ts"
import { unavailable } from "../../query/cdc/vocabulary/change.ts"
import { givenSampleDomain } from "./given/sample-domain.ts"
import { long, longColumns, sampleProjections } from "./given/samples.ts"

// Somebody wants tombstones for another reader of the topics.
const { domain, topics, differences } = givenSampleDomain("row_kinds", { "tombstones.on.delete": "true" })

afterEach(async () => {
  expect(await differences()).toEqual([])
})

/** Statements of one transaction. */
const commit = (...statements: string[]) => domain().source.query(`begin; ${statements.join("; ")}; commit`)

const insertLong = (id: number, seed: string) => {
  const values = long(seed)
  const names = Object.keys(values).join(", ")
  return `insert into samples (id, ${names}) values (${id}, ${Object.values(values).join(", ")})`
}

/** Columns of a row that were not sent, change by change, in the order of the WAL. */
async function unsentColumns(id: bigint): Promise<string[][]> {
  const table = sampleProjections.tables.find(({ name }) => name === "samples")
  if (!table) throw new Error("samples are not mirrored")
  const decoder = createDecoder(domain().fetchSchema)
  const raw = await topics().readAll([`${domain().name}.public.samples`])
  const records = await Promise.all(raw.map((record) => decoder.decodeData(record, table)))
  return records
    .filter((record) => record !== null)
    .sort((a, b) => Number(a.lsn - b.lsn))
    .flatMap(({ change }) => {
      if (change.op !== "upsert" || change.key[0] !== id) return []
      const { row } = change
      const names = [...table.key, ...table.columns].map(({ name }) => name)
      return [names.filter((_, index) => row[index] === unavailable)]
    })
}

describe("a value that an update leaves alone", () => {
  test("of every type that may be stored out of line is not sent, and the old one is kept", async () => {
    await commit(insertLong(1, "a"))
    await commit("update samples set n = 1 where id = 1")
    await commit("update samples set n = 2, body = 'short' where id = 1")
    await domain().caughtUp()
    const [insert, update, shortened] = await unsentColumns(1n)
    expect(insert).toEqual([])
    expect(update?.toSorted()).toEqual(longColumns.toSorted())
    expect(shortened).not.toContain("body")
  })

  test("is kept through several updates of one transaction, with another value between", async () => {
    await commit(insertLong(2, "b"))
    await commit(
      "update samples set n = 1 where id = 2",
      `update samples set body = ${long("c").body} where id = 2`,
      "update samples set n = 2 where id = 2",
      `update samples set tags = ${long("d").tags}, photo = null where id = 2`,
      "update samples set n = 3 where id = 2",
    )
    await commit("update samples set n = 4 where id = 2")
  })

  test("is kept across a restart of the projector, when no earlier change is in memory", async () => {
    await commit(insertLong(3, "e"))
    await domain().caughtUp()
    await domain().restart()
    await commit("update samples set n = 1 where id = 3")
  })

  test("does not outlive its row: insert, update, delete, and the same key again", async () => {
    await commit(
      insertLong(4, "f"),
      "update samples set n = 1 where id = 4",
      "delete from samples where id = 4",
    )
    await commit(
      insertLong(4, "g"),
      "update samples set n = 1 where id = 4",
      "delete from samples where id = 4",
      insertLong(4, "h"),
      "update samples set n = 2 where id = 4",
    )
    await commit("update samples set n = 3 where id = 4")
  })

  test("goes along when the row changes its key, in one transaction and across two", async () => {
    await commit(insertLong(5, "i"))
    await commit("update samples set id = 50 where id = 5")
    await commit("update samples set id = 51 where id = 50", "update samples set id = 52 where id = 51")
    await domain().caughtUp()
    expect((await unsentColumns(50n))[0]?.toSorted()).toEqual(longColumns.toSorted())
  })

  test("may be stored as what other connectors send for it, and as what this one nearly sends", async () => {
    const naive = "__debezium_unavailable_value"
    const near = unavailablePlaceholder.replace("\u0000", "")
    for (const [id, value] of [naive, near].entries()) {
      await domain().source.query(
        `insert into samples (id, body, raw, facts, photo, tags, counts)
         values ($1, $2, to_json($2::text), to_jsonb($2::text), convert_to($2, 'utf8'), array[$2::text], $3)`,
        [60 + id, value, [...Buffer.from(value)]],
      )
    }
    await commit("update samples set n = 1 where id in (60, 61)")
    await expect(
      domain().source.query("insert into samples (id, photo) values (62, $1)", [
        Buffer.from(unavailablePlaceholder),
      ]),
      "a table keeps out what could not be told apart",
    ).rejects.toMatchObject({ code: "23514" })
  })
})

describe("a changed primary key", () => {
  test("moves the row with its long values; 2^53 and 2^53 + 1 are two rows", async () => {
    await commit(insertLong(7, "j"), insertLong(8, "k"))
    await commit("update samples set id = 9007199254740993 where id = 7")
    await commit("update samples set id = 9007199254740992 where id = 8")
    await commit("update samples set n = 1 where id = 9007199254740993")
    await commit("delete from samples where id = 9007199254740992")
  })

  test("swaps two rows over a third key in one transaction", async () => {
    await commit(insertLong(10, "l"), insertLong(11, "m"))
    await commit(
      "update samples set id = -1 where id = 10",
      "update samples set id = 10 where id = 11",
      "update samples set id = 11 where id = -1",
    )
    await commit("update samples set n = 1 where id in (10, 11)")
  })

  test("changes and changes back, in one transaction and in two", async () => {
    await commit(insertLong(12, "n"))
    await commit("update samples set id = 13 where id = 12", "update samples set id = 12 where id = 13")
    await commit("update samples set id = 13 where id = 12")
    await commit("update samples set id = 12 where id = 13", "update samples set n = 5 where id = 12")
  })

  test("of two parts leaves no orphan in the derived model, whichever part changes", async () => {
    await commit("insert into lines (book, line, amount) select 'a', i, i from generate_series(1, 5) i")
    await commit("update lines set book = 'b' where line > 3")
    await commit("update lines set line = line + 10, amount = amount + 1 where book = 'a'")
    await commit(
      "update lines set book = 'a' where book = 'b'",
      "update lines set book = 'c' where book = 'a'",
    )
    await domain().caughtUp()
    const { rows } = await domain().reads.query(
      `select * from ${await domain().liveSchema()}.book_totals order by 1`,
    )
    expect(rows).toEqual([{ book: "c", lines: "5", amount: "18" }])
    await commit("delete from lines")
    await domain().caughtUp()
    const left = await domain().reads.query(`select from ${await domain().liveSchema()}.book_totals`)
    expect(left.rowCount).toBe(0)
  })

  test("of several kilobytes is the key all the same", async () => {
    const { body } = long("o")
    await commit(`insert into lines (book, line, note) values (left(${body}, 2500), 1, ${body})`)
    await commit("update lines set amount = 1 where length(book) = 2500")
    await commit("update lines set line = 2, amount = 2 where length(book) = 2500")
    await commit("update lines set book = 'short' where length(book) = 2500")
  })
})

describe("a tombstone", () => {
  test("comes after every delete if the connector is told so, is counted nowhere and changes nothing", async () => {
    await commit("insert into lines (book, line) values ('t', 1), ('t', 2), ('t', 3)")
    await commit(
      "delete from lines where book = 't' and line = 1",
      "update lines set line = 20 where book = 't' and line = 2",
      "insert into lines (book, line) values ('t', 1)",
    )
    await domain().caughtUp()
    const records = await topics().readAll([`${domain().name}.public.lines`])
    expect(records.filter(({ value }) => value === null).length).toBeGreaterThanOrEqual(2)
  })

  test("that somebody else writes changes nothing either", async () => {
    await commit("insert into lines (book, line) values ('u', 1)")
    await domain().caughtUp()
    const topic = `${domain().name}.public.lines`
    const [record] = await topics().readAll([topic])
    await topics().write(
      [0, 1, 2, 3, 4, 5].map((partition) => ({
        topic,
        partition,
        key: record?.key ?? null,
        value: null,
        headers: {},
      })),
    )
    await commit(
      "insert into lines (book, line) values ('u', 2)",
      "delete from lines where book = 'u' and line = 1",
    )
  })
})

test("refuses a TRUNCATE by the role of the application", async () => {
  const client = new pg.Client({ connectionString: domain().writes.urlAs("command_app") })
  await client.connect()
  try {
    for (const table of ["orders", "order_items", "payments", "order_events", "customers", "products"]) {
      await expect(client.query(`truncate ${table} cascade`)).rejects.toMatchObject({ code: "42501" })
    }
  } finally {
    await client.end()
  }
})
