// A projection cannot change without its version, and what does not fit together is refused when it is defined.
import { describe, expect, test } from "vitest"
import { integer, longText, text } from "../../../../query/cdc/projection/columns.ts"
import { defineProjections } from "../../../../query/cdc/projection/define-projections.ts"
import type {
  DerivedModel,
  MirroredTable,
  Outbox,
  RecomputedModel,
} from "../../../../query/cdc/projection/projection.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"

const notes: MirroredTable = { name: "notes", key: [text("id")], columns: [longText("body")], indexes: [] }
const counts: DerivedModel = {
  name: "counts",
  groupBy: [{ name: "body", type: "text" }],
  sums: ["notes"],
  touchedBy: ["notes"],
  contribution: (schema, aggregates) =>
    `select body, count(*) as notes from ${schema}.notes where ${aggregates ? `id = any(${aggregates})` : "true"} group by 1`,
  indexes: [],
}
const firsts: RecomputedModel = {
  name: "firsts",
  key: [{ name: "body", type: "text" }],
  columns: [{ name: "id", type: "text" }],
  touchedBy: ["notes"],
  entities: (schema, aggregates) => `select body from ${schema}.notes where id = any(${aggregates})`,
  rows: (schema, entities) =>
    `select body, min(id) as id from ${schema}.notes where ${entities ? `body = any(${entities})` : "true"} group by 1`,
  indexes: [],
}
const parts = {
  tables: [notes],
  derived: [counts],
  recomputed: [firsts],
  cache: { ofRow: () => ["a"], ofGroup: () => ["b"], found: { notes: () => "select 'c'" } },
  heartbeatTable: "beats",
}
type Parts = Parameters<typeof defineProjections>[0]
const version = (changed: Partial<Parts> = {}) => defineProjections({ ...parts, ...changed }).version
const tables = (table: Partial<MirroredTable>) => ({ tables: [{ ...notes, ...table }] })
const derived = (model: Partial<DerivedModel>) => ({ derived: [{ ...counts, ...model }] })
const recomputed = (model: Partial<RecomputedModel>) => ({ recomputed: [{ ...firsts, ...model }] })

test("the same projections have the same version, in this process and in others", () => {
  expect(version()).toBe(version({ tables: [structuredClone(notes)] }))
  expect(version()).toBe("8ecd15beaa42")
})

test("the domain's projections are defined so, and nothing gives them a version by hand", () => {
  expect(orderProjections.version).toBe(defineProjections(orderProjections).version)
  expect(orderProjections.version).toMatch(/^[0-9a-f]{12}$/)
})

const changes: [what: string, changed: Partial<Parts>][] = [
  ["a column is added", tables({ columns: [longText("body"), integer("n")] })],
  ["a column is renamed", tables({ columns: [longText("text")] })],
  ["a column has another type", tables({ columns: [integer("body")] })],
  ["a column may be unavailable, or may not", tables({ columns: [text("body")] })],
  ["the key changes", tables({ key: [text("id"), integer("part")] })],
  ["an index is added", tables({ indexes: ["(body)"] })],
  ["a table is added", { tables: [notes, { ...notes, name: "more" }] }],
  ["a model is removed", { derived: [] }],
  ["a model sums something else", derived({ sums: ["bodies"] })],
  ["a model has other groups", derived({ groupBy: [{ name: "text", type: "text" }] })],
  ["a model's index changes", derived({ indexes: ["(notes)"] })],
  ["a contribution changes", derived({ contribution: (schema) => `select 1 from ${schema}.notes` })],
  [
    "a contribution changes for touched aggregates alone",
    derived({
      contribution: (schema, aggregates) =>
        counts.contribution(schema, aggregates).replace("id = any", "body = any"),
    }),
  ],
  ["a recomputed model is removed", { recomputed: [] }],
  ["a recomputed model has other entities", recomputed({ entities: () => "select 'x'" })],
  ["a recomputed model has other rows", recomputed({ rows: (schema) => firsts.rows(schema, null) })],
  ["entities have other cached answers", { cache: { ...parts.cache, ofEntity: () => ["d"] } }],
  ["the heartbeat is another table", { heartbeatTable: "hearts" }],
  ["rows have other cached answers", { cache: { ...parts.cache, ofRow: ([first]) => [`x:${first}`] } }],
  ["groups have other cached answers", { cache: { ...parts.cache, ofGroup: () => [] } }],
  ["cached answers are found in another way", { cache: { ...parts.cache, found: {} } }],
]

const outbox: Outbox = {
  topic: "told",
  recordedIn: "counted",
  recorded: { type: "'T'", occurredAt: "now()", traceparent: "null", data: "'{}'" },
  inferredFrom: ["notes"],
  infer: () => ({ type: "T", data: {} }),
  dataSchema: {},
}
const counted: MirroredTable = { ...notes, name: "counted", key: [text("id"), integer("nth")] }
const told = (more: Partial<Outbox> = {}): Partial<Parts> => ({
  tables: [notes, counted],
  outbox: { ...outbox, ...more },
})

test("the version changes when others are told something else, so that they are told of what is there", () => {
  const versions = [
    version({ tables: [notes, counted] }),
    version(told()),
    version(told({ topic: "another" })),
    version(told({ inferredFrom: [] })),
  ]
  expect(new Set(versions).size).toBe(versions.length)
})

test.each(changes)("the version changes when %s", (_, changed) => {
  expect(version(changed)).not.toBe(version())
})

describe("is refused when it is defined", () => {
  const refused: [what: string, changed: Partial<Parts>, says: RegExp][] = [
    [
      "events in a table whose key is no number of an aggregate",
      told({ recordedIn: "notes" }),
      /key of two columns/,
    ],
    ["events in a table that is not mirrored", told({ recordedIn: "unknown" }), /not in unknown/],
    [
      "events inferred from a table that is not mirrored",
      told({ inferredFrom: ["unknown"] }),
      /not from unknown/,
    ],
    ["a table without a key", tables({ key: [] }), /notes has no key/],
    ["a column twice", tables({ columns: [text("body"), text("body")] }), /columns of notes .* body/],
    [
      "a column named as one of the engine's",
      tables({ columns: [text("deleted")] }),
      /columns of notes .* deleted/,
    ],
    ["two tables of one name", { tables: [notes, notes] }, /tables .* notes/],
    ["a model named as a table", derived({ name: "notes" }), /tables .* notes/],
    [
      "a model that an unknown table touches",
      derived({ touchedBy: ["notes", "others"] }),
      /counts .* others/,
    ],
    ["a model that nothing touches", derived({ touchedBy: [] }), /counts .* none/],
    ["a model without sums", derived({ sums: [] }), /counts needs/],
    ["a sum named as a group", derived({ sums: ["body"] }), /columns of counts .* body/],
    ["a recomputed model of a taken name", recomputed({ name: "counts" }), /tables .* counts/],
    ["a recomputed model that nothing touches", recomputed({ touchedBy: [] }), /firsts .* none/],
    ["a recomputed model without columns", recomputed({ columns: [] }), /firsts needs/],
    [
      "a recomputed model whose entity is no text",
      recomputed({ key: [{ name: "body", type: "bigint" }] }),
      /firsts needs/,
    ],
    ["a mirrored heartbeat", { heartbeatTable: "notes" }, /heartbeat/],
  ]

  test.each(refused)("%s", (_, changed, says) => {
    expect(() => version(changed)).toThrow(says)
  })
})
