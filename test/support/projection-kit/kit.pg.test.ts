// The kit must be able to fail: each fault that a read model can have is found, by the way of delivery that shows it,
// and told with the rows that differ and the seed.
import { describe, expect, test } from "vitest"
import { bigint, bytea, integer, longText, text, textArray } from "../../../query/cdc/projection/columns.ts"
import { defineProjections } from "../../../query/cdc/projection/define-projections.ts"
import type { DerivedModel, MirroredTable } from "../../../query/cdc/projection/projection.ts"
import { deleted, type Given, inserted, updated } from "./given-changes.ts"
import { createProjectionKit, type ExpectedRows } from "./kit.ts"

const stock: MirroredTable = {
  name: "stock",
  key: [text("place"), integer("shelf")],
  columns: [longText("note"), longText("kind"), bigint("pieces"), textArray("tags"), bytea("photo")],
  indexes: [],
}
const places: MirroredTable = {
  name: "places",
  key: [text("place")],
  columns: [longText("country")],
  indexes: [],
}

const piecesByKind: DerivedModel = {
  name: "pieces_by_kind",
  groupBy: [{ name: "kind", type: "text" }],
  sums: ["shelves", "pieces"],
  touchedBy: ["stock"],
  contribution: (schema, aggregates) => `
    select kind, count(*) as shelves, sum(pieces) as pieces from ${schema}.stock
    where not deleted ${aggregates ? `and place = any(${aggregates})` : ""} group by kind`,
  indexes: [],
}
const piecesByCountry: DerivedModel = {
  name: "pieces_by_country",
  groupBy: [{ name: "country", type: "text" }],
  sums: ["pieces"],
  touchedBy: ["stock", "places"],
  contribution: (schema, aggregates) => `
    select country, sum(pieces) as pieces from ${schema}.stock join ${schema}.places using (place)
    where not stock.deleted and not places.deleted ${aggregates ? `and place = any(${aggregates})` : ""}
    group by country`,
  indexes: [],
}

const kitOf = (...derived: DerivedModel[]) =>
  createProjectionKit(
    defineProjections({
      tables: [stock, places],
      derived,
      recomputed: [],
      cache: { ofRow: () => [], ofGroup: () => [], found: {} },
      heartbeatTable: "beats",
    }),
  )

const row = { place: "a", shelf: 1, kind: "x", pieces: 5 }
const history: (Given | Given[])[] = [
  [
    inserted("stock", { ...row, note: "long", tags: ["p", "q"], photo: Buffer.from("y") }),
    inserted("places", { place: "a", country: "de" }),
  ],
  [
    inserted("stock", { ...row, shelf: 2, kind: "y", pieces: 2 ** 40 }),
    inserted("stock", { ...row, place: "b", pieces: 0 }),
  ],
  updated("stock", { place: "a", shelf: 1, pieces: 7 }),
  [
    updated("stock", { place: "c", shelf: 9 }, { place: "a", shelf: 1 }),
    inserted("places", { place: "c", country: "fr" }),
  ],
  updated("places", { place: "a", country: "fr" }),
  [deleted("stock", { place: "b", shelf: 1 }), updated("stock", { place: "c", shelf: 9, pieces: 8 })],
]
const expected: ExpectedRows = {
  stock: [
    { place: "a", shelf: 2, note: null, tags: null, pieces: 2 ** 40 },
    { place: "c", shelf: 9, note: "long", tags: ["p", "q"], pieces: 8 },
  ],
  pieces_by_kind: [
    { kind: "x", shelves: 1, pieces: 8 },
    { kind: "y", shelves: 1, pieces: 2 ** 40 },
  ],
}

test("a model without faults passes every way of delivery", () =>
  kitOf(piecesByKind, piecesByCountry)
    .givenChanges(...history)
    .whenApplied()
    .thenRows({ ...expected, pieces_by_country: [{ country: "fr", pieces: 2 ** 40 + 8 }] }))

describe("finds", () => {
  const failing = async (derived: DerivedModel[], rows: ExpectedRows = {}): Promise<string> => {
    const failure: unknown = await kitOf(...derived)
      .givenChanges(...history)
      .whenApplied()
      .thenRows(rows)
      .then(
        () => null,
        (error: unknown) => error,
      )
    expect(failure).toBeInstanceOf(Error)
    return failure instanceof Error ? failure.message : ""
  }
  const faulty = (model: DerivedModel, from: string, to: string): DerivedModel => ({
    ...model,
    contribution: (schema, aggregates) => model.contribution(schema, aggregates).replace(from, to),
  })

  test("rows that the test did not expect, and says which, how they came and the seed", async () => {
    const message = await failing([piecesByKind], { pieces_by_kind: [{ kind: "x", pieces: 9 }] })
    expect(message).toMatch(
      /^one transaction after the other \(SEED=\d+\): rows of pieces_by_kind are not those of the test/,
    )
  })

  test("a model that counts deleted rows", async () => {
    const message = await failing([faulty(piecesByKind, "not deleted", "true")], expected)
    expect(message).toMatch(/pieces_by_kind/)
  })

  test("a contribution that takes the aggregates for something else", async () => {
    expect(await failing([faulty(piecesByKind, "and place =", "and kind =")])).toMatch(
      /pieces_by_kind is not what its contribution gives/,
    )
  })

  test("a table that touches the model and is not named", async () => {
    expect(await failing([{ ...piecesByCountry, touchedBy: ["stock"] }])).toMatch(
      /pieces_by_country is not what its contribution gives/,
    )
  })

  test("sums that are not whole", async () => {
    expect(await failing([faulty(piecesByKind, "sum(pieces)", "sum(pieces) / 2.0")])).toMatch(
      /pieces_by_kind/,
    )
  })

  test("a group or a sum that may be null", async () => {
    expect(await failing([faulty(piecesByKind, "sum(pieces)", "nullif(sum(pieces), 7)")])).toMatch(
      /no value for a group or a sum|null value/,
    )
  })

  test("what only one way of delivery shows: a model that depends on where the rows were read", async () => {
    const byPartition = faulty(
      piecesByKind,
      "count(*) as shelves",
      "sum(coalesce(kafka_offset, 7)) as shelves",
    )
    expect(await failing([byPartition], expected)).toMatch(/pieces_by_kind/)
  })

  test("a column that a test names and no table has", async () => {
    expect(await failing([piecesByKind], { pieces_by_kind: [{ sort: "x" }] })).toMatch(
      /pieces_by_kind has no column sort/,
    )
    expect(await failing([], { pieces: [] })).toMatch(/no pieces/)
  })
})

test.each<[what: string, change: Given, says: RegExp]>([
  ["a row twice", inserted("stock", row), /insert of stock .* such a row already/],
  ["an update of no row", updated("stock", { ...row, shelf: 7 }), /update of stock .* no such row/],
  ["a delete of no row", deleted("stock", { place: "b", shelf: 7 }), /delete of stock .* no such row/],
  ["a row without its key", inserted("stock", { place: "b" }), /key is missing/],
  ["an unknown column", inserted("places", { place: "b", colour: "red" }), /no column colour/],
  ["an unknown table", inserted("shops", { place: "b" }), /shops .* no such table/],
])("refuses what no source could have sent: %s", async (_, change, says) => {
  const given = kitOf(piecesByKind).givenChanges(inserted("stock", row), change)
  await expect(given.whenApplied().thenRows({})).rejects.toThrow(says)
})
