// A head that is too large for memory, case by case: what of it is handed over to be staged, when it is whole, and how
// its rows are counted. The properties in flow.property.test.ts search the rest.
import { describe, expect, test } from "vitest"
import { type Assembler, createAssembler } from "../../../../query/cdc/assemble/assemble.ts"
import type { DataRecord } from "../../../../query/cdc/vocabulary/change.ts"
import { begin, end, lsn, type RowChange, rowChange } from "../given/records.ts"

/** Two records (of 800 bytes) may stay in memory. */
const assembler = (): Assembler =>
  createAssembler({
    lastEnd: lsn(100),
    baseLsn: lsn(0),
    tables: new Set(["public.t"]),
    stageBeyondBytes: 1_700,
  })

const row = (xid: number, at: number, more: Partial<RowChange> = {}): DataRecord =>
  rowChange({ xid, lsn: at, previous: xid * 100, key: at, offset: at, ...more })

/** Stages all that is handed over; `known` are row changes that the staged table has already. */
function stage(under: Assembler, known: readonly number[] = []): number[] {
  const taken: number[] = []
  for (let next = under.next(); next.state === "needs-staging"; next = under.next()) {
    const { records } = under.takeForStaging(2)
    const positions = records.map((record) => Number(record.lsn))
    under.noteStaged(new Map([["t", positions.filter((at) => !known.includes(at)).length]]))
    taken.push(...positions)
  }
  return taken
}

function addRows(under: Assembler, ...positions: number[]): void {
  for (const at of positions) under.addRecord(row(1, at))
}

test("it is staged when more of it is in memory than may stay, and all of it from then on", () => {
  const under = assembler()
  addRows(under, 110, 120)
  expect(under.next()).toMatchObject({ state: "waiting-for-end", rows: 2 })
  addRows(under, 130)
  expect(stage(under)).toEqual([110, 120, 130])
  expect(under.pendingBytes()).toBe(0)
  addRows(under, 140)
  expect(stage(under)).toEqual([140])
  expect(under.stagedHead()).toEqual({ xid: "1", rows: 4, expected: null })
})

test("it is whole when its count is staged, and not while the last of it is on the way", () => {
  const under = assembler()
  addRows(under, 110, 120, 130)
  stage(under)
  for (const entry of [begin(1), end(1, 200, 4)]) under.addEntry(entry)
  expect(under.next()).toMatchObject({ state: "waiting-for-rows", head: { received: 3, expected: 4 } })
  addRows(under, 140)
  expect(under.next().state).toBe("needs-staging")
  under.takeForStaging(2)
  expect(under.next().state).toBe("needs-staging")
  under.noteStaged(new Map([["t", 1]]))
  expect(under.next()).toMatchObject({ state: "released-staged", transaction: { xid: "1" }, rows: 4 })
  expect(under.next()).toEqual({ state: "idle" })
  expect(under.lastEnd()).toBe(200n)
})

test("one that is whole in memory is released from there", () => {
  const under = assembler()
  addRows(under, 110, 120, 130)
  for (const entry of [begin(1), end(1, 200, 3)]) under.addEntry(entry)
  expect(under.next()).toMatchObject({ state: "released", transaction: { xid: "1" } })
})

test("a later transaction is never staged, however large: it is not the head", () => {
  const under = assembler()
  for (const at of [210, 220, 230, 240]) under.addRecord(row(2, at))
  expect(under.next()).toMatchObject({ state: "waiting-for-end" })
  expect(under.headBytes()).toBe(0)
})

describe("copies", () => {
  test("of staged rows are staged again and counted once", () => {
    const under = assembler()
    addRows(under, 110, 120, 130)
    stage(under)
    addRows(under, 110, 120)
    expect(stage(under, [110, 120, 130])).toEqual([110, 120])
    expect(under.stagedHead()?.rows).toBe(3)
  })

  test("a crash inside it leaves the decision to the proof", () => {
    const under = assembler()
    addRows(under, 110, 120, 130)
    stage(under)
    under.addRecord(row(1, 130, { runId: "run-2" }))
    for (const entry of [begin(1), begin(1), end(1, 200, 1)]) under.addEntry(entry)
    expect(stage(under, [110, 120, 130])).toEqual([130])
    expect(under.next()).toMatchObject({ state: "waiting-for-rows", head: { disturbed: true, received: 3 } })
    under.proveRows(lsn(200))
    expect(under.next()).toMatchObject({ state: "released-staged", rows: 3 })
  })
})

test("its rows in the topics are read again after a restart, until it is applied", () => {
  const under = assembler()
  addRows(under, 110, 120, 130)
  stage(under)
  expect(under.resumeOffsets(new Map([["p.public.t/0", 131n]]))).toEqual(new Map([["p.public.t/0", 110n]]))
  for (const entry of [begin(1), end(1, 200, 3)]) under.addEntry(entry)
  under.next()
  expect(under.resumeOffsets(new Map([["p.public.t/0", 131n]]))).toEqual(new Map([["p.public.t/0", 131n]]))
})

test("rows that are lost from it are noticed", () => {
  const under = assembler()
  addRows(under, 110, 120, 130)
  stage(under)
  for (const entry of [begin(1), end(1, 200, 4)]) under.addEntry(entry)
  under.prove(lsn(200))
  expect(() => under.next()).toThrow(/4 row changes, but only 3/)
})

test("a record that cannot be read stands for a row that it lacks", () => {
  const under = assembler()
  addRows(under, 110, 120, 130)
  stage(under)
  const origin = { topic: "p.public.t", partition: 0, offset: 135n }
  under.addUnreadable({ origin, table: "t" })
  for (const entry of [begin(1), end(1, 200, 4)]) under.addEntry(entry)
  expect(under.next()).toMatchObject({ state: "waiting-for-rows", head: { needsProof: true } })
  under.proveRows(lsn(200))
  expect(under.next()).toMatchObject({ state: "released-staged", rows: 3, unreadable: [{ origin }] })
})
