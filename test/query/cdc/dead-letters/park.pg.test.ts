// What is noted of a parked record that could not be read: the first word counts, because the records behind the stored
// resume offsets are read again after a restart, and then they look as if nothing missed them.
import { beforeEach, expect, test } from "vitest"
import { type Placement, park } from "../../../../query/cdc/dead-letters/park.ts"
import { EngineError } from "../../../../query/cdc/vocabulary/errors.ts"
import { givenGeneration } from "../given/generation.ts"
import { lsn } from "../given/records.ts"
import { thingProjections } from "../given/things.ts"

const generation = givenGeneration("dead_letters", thingProjections)
beforeEach(() => generation.empty())

const origin = { topic: "p.public.things", partition: 0, offset: 7n }
const raw = { ...origin, key: null, value: Buffer.from("garbled"), headers: {} }
const error = new EngineError("undecodable-record", "it cannot be read")
const missed: Placement = {
  origin,
  missedBy: { commitLsn: lsn(200), previousCommitLsn: lsn(100) },
  wasApplied: false,
}
const missedLater = { ...missed, missedBy: { commitLsn: lsn(400), previousCommitLsn: lsn(300) } }
const missedByNone = { ...missed, missedBy: null }
const wasApplied = { ...missedByNone, wasApplied: true }

/** One step of a follower that reads the record. */
async function read(...placements: Placement[]): Promise<void> {
  const change = { raw, table: "things", key: ["a"], place: null, error }
  await generation.db
    .transaction()
    .execute((trx) =>
      park(trx, generation.target.ref, { changes: [change], placements, rows: new Set(), limit: 10 }),
    )
}

async function noted(): Promise<unknown> {
  const { rows } = await generation.admin.query(
    "select state, is_placed, commit_lsn::text as commit, previous_commit_lsn::text as previous from cdc.dead_letters",
  )
  return rows
}

const cases: { name: string; steps: Placement[][]; leaves: object }[] = [
  {
    name: "is unknown at first",
    steps: [[]],
    leaves: { state: "parked", is_placed: false, commit: null, previous: null },
  },
  {
    name: "is the transaction that misses it",
    steps: [[], [missed]],
    leaves: { state: "parked", is_placed: true, commit: "200", previous: "100" },
  },
  {
    name: "stays when it is read again and nothing misses it",
    steps: [[missed], [wasApplied]],
    leaves: { state: "parked", is_placed: true, commit: "200", previous: "100" },
  },
  {
    name: "stays when it is read again and taken for a row of a later transaction",
    steps: [[missed], [missedLater]],
    leaves: { state: "parked", is_placed: true, commit: "200", previous: "100" },
  },
  {
    name: "may be that it was applied before it could not be read",
    steps: [[wasApplied]],
    leaves: { state: "superseded", is_placed: true, commit: null, previous: null },
  },
  {
    name: "does not come to that when it was parked and nothing has missed it",
    steps: [[missedByNone], [wasApplied]],
    leaves: { state: "parked", is_placed: true, commit: null, previous: null },
  },
]

test.each(cases)("what is noted $name", async ({ steps, leaves }) => {
  for (const placements of steps) await read(...placements)
  expect(await noted()).toEqual([leaves])
})
