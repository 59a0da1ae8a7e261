// Rows that Postgres refuses are found among good ones in few attempts, and looking for them changes nothing.
import { Kysely, PostgresDialect } from "kysely"
import { beforeAll, beforeEach, expect, test } from "vitest"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import { findRefused } from "../../../../query/cdc/apply/isolate.ts"
import type { DataRecord } from "../../../../query/cdc/vocabulary/change.ts"
import { givenGeneration, transaction, upsert } from "../given/generation.ts"
import { everythingIn, thingProjections, things } from "../given/things.ts"

const generation = givenGeneration("isolate", thingProjections)
beforeAll(async () => {
  await generation.admin.query(
    `alter table ${generation.schema}.things add constraint refused check (amount >= 0)`,
  )
})
beforeEach(() => generation.empty())

const thing = (place: number, id: string, amount: number): DataRecord =>
  upsert(things, place, { id, owner: "o1", note: `note ${place}`, amount: BigInt(amount) })

test.each([
  { rows: 1, bad: [1] },
  { rows: 1_000, bad: [613] },
  { rows: 2_000, bad: [1, 1_000, 2_000] },
])("$bad of $rows rows are found in few attempts", async ({ rows, bad }) => {
  const records = Array.from({ length: rows }, (_, index) =>
    thing(index + 1, `t${index + 1}`, bad.includes(index + 1) ? -1 : 1),
  )
  let attempts = 0
  const counted = new Kysely<QueryDatabase>({
    dialect: new PostgresDialect({ pool: generation.admin }),
    log: ({ query }) => {
      if (query.sql === "savepoint attempt") attempts++
    },
  })
  const refused = await findRefused(counted, generation.target, () => [[transaction(9_999, records)]], 100)
  expect(refused.map(({ record }) => Number(record.origin.offset))).toEqual(bad)
  expect(refused[0]?.error.code).toBe("bad-row")
  expect(attempts).toBeLessThanOrEqual(1 + 2 * bad.length * Math.ceil(Math.log2(rows)))
  expect(await everythingIn(generation)).toEqual([])
})
