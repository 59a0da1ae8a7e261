// A made-up domain of two tables and one derived model, and random histories of it with everything that is awkward:
// values that are not sent, changed keys, and rows that share an LSN.
import { bigint, longText, text } from "../../../../query/cdc/projection/columns.ts"
import type { MirroredTable, Projections } from "../../../../query/cdc/projection/projection.ts"
import {
  type DataRecord,
  type Transaction,
  unavailable,
  type Value,
} from "../../../../query/cdc/vocabulary/change.ts"
import type { Choices } from "../../../support/properties.ts"
import { remove, type TestGeneration, transaction, upsert } from "./generation.ts"

export const things: MirroredTable = {
  name: "things",
  key: [text("id")],
  columns: [longText("owner"), longText("note"), bigint("amount")],
  indexes: [],
}
export const owners: MirroredTable = {
  name: "owners",
  key: [text("id")],
  columns: [longText("name")],
  indexes: [],
}
export const thingProjections: Projections = {
  version: "test",
  tables: [things, owners],
  derived: [
    {
      name: "amounts",
      groupBy: [{ name: "owner", type: "text" }],
      sums: ["things", "amount"],
      touchedBy: ["things"],
      contribution: (schema, aggregates) => `
        select owner, count(*) as things, sum(amount) as amount from ${schema}.things
        where not deleted ${aggregates ? `and id = any(${aggregates})` : ""} group by 1`,
      indexes: [],
    },
  ],
  recomputed: [
    {
      name: "dearest",
      key: [{ name: "owner", type: "text" }],
      columns: [
        { name: "thing", type: "text" },
        { name: "different_amounts", type: "bigint" },
      ],
      touchedBy: ["things"],
      entities: (schema, aggregates) =>
        `select owner from ${schema}.things where id = any(${aggregates}) and not deleted`,
      rows: (schema, entities) => `
        select owner, (array_agg(id order by amount desc, id))[1] as thing,
          count(distinct amount) as different_amounts
        from ${schema}.things where not deleted ${entities ? `and owner = any(${entities})` : ""} group by 1`,
      indexes: [],
    },
  ],
  cache: {
    ofEntity: (_model, owner) => [`dearest:${owner}`],
    ofRow: (table, [id]) => [`${table}:${id}`],
    ofGroup: (_model, [owner]) => [`amounts:${owner}`],
    found: {
      owners: (schema, changed) =>
        `select 'things:' || id from ${schema}.things where owner = any(${changed}) and not deleted`,
    },
  },
  heartbeatTable: "cdc_heartbeat",
}

type Thing = { id: string; owner: string; note: Value; amount: bigint }

/** Transactions over a few rows. */
export function writeHistory(choices: Choices, { movesKeys = true } = {}): Transaction[] {
  const rows = new Map<string, Thing>()
  let at = 0
  const free = (): string | undefined => ["a", "b", "c", "d", "e"].find((id) => !rows.has(id))
  const insert = (id: string): DataRecord => {
    const row = { id, owner: `o${choices.pick(2)}`, note: `note ${at}`, amount: BigInt(choices.pick(50)) }
    rows.set(id, row)
    return upsert(things, at, row)
  }
  const change = (): DataRecord[] => {
    at++
    const row = [...rows.values()][choices.pick(Math.max(1, rows.size))]
    const id = free()
    switch (choices.pick(6)) {
      case 0:
        if (!id) break
        return [insert(id)]
      case 1: {
        const copied = [free(), rows.size < 4 ? "f" : undefined, "g"]
        return copied.flatMap((one) => (one !== undefined && !rows.has(one) ? [insert(one)] : []))
      }
      case 2: {
        if (!row || id === undefined || !movesKeys) break
        rows.delete(row.id)
        rows.set(id, { ...row, id })
        return [upsert(things, at, { ...row, id, note: unavailable }, "c"), remove(things, at, row.id)]
      }
      case 3:
        if (!row) break
        rows.delete(row.id)
        return [remove(things, at, row.id)]
      case 4:
        return [upsert(owners, at, { id: `o${choices.pick(2)}`, name: `name ${at}` })]
    }
    if (!row) return []
    const changed = { ...row, owner: `o${choices.pick(3)}`, amount: row.amount + 1n }
    rows.set(row.id, changed)
    return [upsert(things, at, { ...changed, note: unavailable })]
  }
  return Array.from({ length: 2 + choices.pick(3) }, () => {
    const records = Array.from({ length: choices.pick(9) }, change).flat()
    return transaction(++at, records)
  })
}

/** Every row of every table, with guards, in one order. */
export async function everythingIn(generation: TestGeneration): Promise<unknown[]> {
  const { rows } = await generation.admin.query(
    ["things", "owners", "amounts", "dearest"]
      .map(
        (table) =>
          `select '${table}' as "table", to_jsonb(t)::text as row from ${generation.schema}.${table} t`,
      )
      .join(" union all ")
      .concat(" order by 1, 2"),
  )
  return rows
}
