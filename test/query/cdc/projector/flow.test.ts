// The flow between reading and applying, step by step: what it hands out, what it stores with it, and what it takes no
// notice of. Every order of events is the property test's (flow.property.test.ts).
// One file: every test gives one flow a few records and looks at the next piece of work.
import { describe, expect, test } from "vitest"
import type { Progress } from "../../../../query/cdc/lease/progress.ts"
import { Flow, type FlowStart, type Work } from "../../../../query/cdc/projector/flow.ts"
import type { DataRecord, Read } from "../../../../query/cdc/vocabulary/change.ts"
import { EngineError } from "../../../../query/cdc/vocabulary/errors.ts"
import { begin, end, lsn, rowChange } from "../given/records.ts"

const log = "p.transaction/0"
const progress: Progress = {
  position: lsn(100),
  baseLsn: lsn(0),
  lastEnd: lsn(100),
  lastEndOffset: 0n,
  resumeOffsets: new Map(),
  heartbeatAt: null,
}
const start: FlowStart = { progress, unplaced: [], deadLetterRows: new Set() }

function open(more: { batchRows?: number; pendingBytes?: number; deadLetterLimit?: number } = {}) {
  const clock = { ms: 0 }
  const read = new Map<string, bigint>()
  const flow = new Flow({
    source: { systemIdentifier: "77", timeline: 1 },
    tables: new Set(["public.t", "public.heartbeat"]),
    heartbeatTable: "heartbeat",
    commitLog: log,
    limits: { pendingBytes: more.pendingBytes ?? 1e9, pendingEnds: 1_000 },
    deadLetterLimit: more.deadLetterLimit ?? 10,
    batchRows: more.batchRows ?? 100,
    stageRows: 100,
    readUpTo: () => read,
    now: () => clock.ms,
  })
  flow.begin(start)
  return { flow, clock, read }
}

const record = (record: DataRecord): Read => ({ kind: "record", record })

/** Transaction `n` has one row and commits at 100 + 100 n. */
const transaction = (n: number, offset = n): Read[] => [
  { kind: "entry", entry: begin(n, 2 * n - 1) },
  record(rowChange({ xid: n, lsn: 50 + 100 * n, previous: 100 * n, offset, key: `k${n}` })),
  { kind: "entry", entry: end(n, 100 + 100 * n, 1, 2 * n) },
]

const xidsOf = (work: Work | null): string[] =>
  work?.kind === "apply" ? work.step.transactions.map(({ xid }) => xid) : []
const done = { parked: undefined }

function takeAll(flow: Flow, reads: readonly Read[]): void {
  for (const read of reads) flow.take(read)
}

describe("work", () => {
  test("as many complete transactions as there are go into one step, and the next step goes on where it ends", () => {
    const { flow } = open()
    takeAll(flow, [...transaction(1), ...transaction(2)])
    const first = flow.next()
    expect(xidsOf(first)).toEqual(["1", "2"])
    expect(first).toMatchObject({ step: { expected: lsn(100) } })
    takeAll(flow, transaction(3))
    expect(flow.next()).toBeNull()
    expect(first && flow.applied(first, done)).toEqual({ position: lsn(300), heartbeatAt: null })
    expect(flow.next()).toMatchObject({ kind: "apply", step: { expected: lsn(300) } })
  })

  test("a batch is closed by its rows, so that no step grows without bound", () => {
    const { flow } = open({ batchRows: 2 })
    takeAll(flow, [...transaction(1), ...transaction(2), ...transaction(3)])
    expect(xidsOf(flow.next())).toEqual(["1", "2"])
  })

  test("the next batch is gathered while one is applied, and is handed out first", () => {
    const { flow } = open()
    takeAll(flow, transaction(1))
    const first = flow.next()
    takeAll(flow, transaction(2))
    flow.prepare()
    expect(flow.state()?.pendingBytes).toBe(0)
    takeAll(flow, transaction(3))
    if (first) flow.applied(first, done)
    expect(xidsOf(flow.next())).toEqual(["2", "3"])
  })

  test("complete transactions before a fault are handed out first; then the fault is met, again and again", () => {
    const { flow } = open()
    takeAll(flow, transaction(1))
    // Its records name 250, which is no END.
    takeAll(flow, [
      record(rowChange({ xid: 2, lsn: 260, previous: 250, offset: 2 })),
      { kind: "entry", entry: end(2, 300, 1, 4) },
    ])
    const first = flow.next()
    expect(xidsOf(first)).toEqual(["1"])
    if (first) flow.applied(first, done)
    expect(() => flow.next()).toThrow(EngineError)
    expect(() => flow.next()).toThrow(EngineError)
  })

  test("a transaction that is too large for memory is staged in parts and then applied alone", () => {
    const { flow } = open({ pendingBytes: 1_600 })
    takeAll(flow, [
      { kind: "entry", entry: begin(1, 1) },
      record(rowChange({ xid: 1, lsn: 150, previous: 100, offset: 1, key: "a" })),
      record(rowChange({ xid: 1, lsn: 151, previous: 100, offset: 2, key: "b" })),
    ])
    const work = flow.next()
    expect(work).toMatchObject({ kind: "stage", isFirst: true })
    if (work) flow.staged(work, new Map([["t", 2]]))
    expect(flow.next()).toBeNull()
    takeAll(flow, [{ kind: "entry", entry: end(1, 200, 2, 2) }])
    expect(flow.next()).toMatchObject({ kind: "apply-staged", step: { rows: 2, expected: lsn(100) } })
  })
})

describe("sessions", () => {
  test("nothing is taken or handed out between sessions", () => {
    const { flow } = open()
    flow.end()
    takeAll(flow, transaction(1))
    expect(flow.next()).toBeNull()
    flow.begin(start)
    expect(flow.next()).toBeNull()
  })

  test("the outcome of another session's work moves nothing: the next one begins with what Postgres says", () => {
    const { flow } = open()
    takeAll(flow, transaction(1))
    const old = flow.next()
    flow.begin(start)
    expect(old && flow.applied(old, done)).toBeNull()
    expect(flow.state()?.position).toBe(lsn(100))
    takeAll(flow, transaction(1))
    expect(xidsOf(flow.next())).toEqual(["1"])
  })

  test("work of a session that has ended may still be committed: how far the generation is, is told then too", () => {
    const { flow } = open()
    takeAll(flow, transaction(1))
    const work = flow.next()
    flow.end()
    expect(work && flow.applied(work, done)).toEqual({ position: lsn(200), heartbeatAt: null })
    expect(flow.next()).toBeNull()
  })

  test("the commit log must go on with the END that was applied last", () => {
    const { flow } = open()
    expect(() => flow.take({ kind: "entry", entry: end(9, 100, 0, 0) })).not.toThrow()
    flow.begin(start)
    expect(() => flow.take({ kind: "entry", entry: end(9, 90, 0, 0) })).toThrow(
      /not the log that was followed/,
    )
  })

  test("a partition that was paused is read again in the next session", () => {
    const { flow } = open({ pendingBytes: 500 })
    flow.take(record(rowChange({ xid: 2, lsn: 250, previous: 200, offset: 1 })))
    expect(flow.takePauses()).toEqual({ pause: ["p.public.t/0"], resume: [] })
    flow.begin(start)
    expect(flow.takePauses()).toEqual({ pause: [], resume: ["p.public.t/0"] })
  })
})

describe("what a step stores", () => {
  test("resume offsets go with a step now and then, and only those that moved", () => {
    const { flow, clock, read } = open()
    const apply = (n: number): ReadonlyMap<string, bigint> | null => {
      read.set("p.public.t/0", BigInt(n + 1))
      takeAll(flow, transaction(n))
      const work = flow.next()
      if (work?.kind !== "apply") return null
      flow.applied(work, done)
      return work.step.resumeOffsets
    }
    expect(apply(1)).toEqual(new Map([["p.public.t/0", 2n]]))
    expect(apply(2)).toEqual(new Map())
    clock.ms += 1_000
    read.set("p.public.t/1", 5n)
    expect(apply(3)).toEqual(
      new Map([
        ["p.public.t/0", 4n],
        ["p.public.t/1", 5n],
      ]),
    )
    clock.ms += 1_000
    expect(apply(4)).toEqual(new Map([["p.public.t/0", 5n]]))
  })

  test("the source's clock is the one of the last heartbeat", () => {
    const { flow } = open()
    const beat = (n: number, beatAt: string): Read =>
      record(
        rowChange({
          table: "heartbeat",
          key: 1,
          row: [1, beatAt, "77", 1],
          xid: n,
          lsn: 50 + 100 * n,
          previous: 100 * n,
          offset: n,
        }),
      )
    const beatEnd = (n: number): Read => ({
      kind: "entry",
      entry: {
        status: "END",
        offset: BigInt(2 * n),
        xid: String(n),
        commitLsn: lsn(100 + 100 * n),
        counts: new Map([["public.heartbeat", 1]]),
      },
    })
    const begun: Read = { kind: "entry", entry: begin(2, 3) }
    takeAll(flow, [
      ...transaction(1),
      begun,
      beat(2, "2026-01-02T00:00:00.000000Z"),
      beatEnd(2),
      ...transaction(3),
    ])
    const work = flow.next()
    expect(xidsOf(work)).toEqual(["1", "2", "3"])
    expect(work).toMatchObject({ step: { heartbeatAt: "2026-01-02T00:00:00.000000Z" } })
    const reached = { position: lsn(400), heartbeatAt: new Date("2026-01-02T00:00:00Z") }
    expect(work && flow.applied(work, done)).toEqual(reached)
  })
})

test("a heartbeat of another history halts where it is read, before its place in history is believed", () => {
  const { flow } = open()
  const foreign = rowChange({
    table: "heartbeat",
    key: 1,
    row: [1, "2026-01-01T00:00:00.000000Z", "78", 1],
    lsn: 950,
    previous: 900,
    offset: 1,
  })
  expect(() => flow.take(record(foreign))).toThrow(/source database is another one/)
})

test("more unreadable records than may be parked halt: the stream is bad, not a record", () => {
  const { flow } = open({ deadLetterLimit: 1 })
  const unreadable = (offset: bigint): Read => ({
    kind: "unreadable",
    change: {
      raw: { topic: "p.public.t", partition: 0, offset, key: null, value: null, headers: {} },
      table: "t",
      key: null,
      place: null,
      error: new EngineError("undecodable-record", "it cannot be read"),
    },
  })
  flow.take(unreadable(1n))
  expect(() => flow.take(unreadable(2n))).toThrow(/More than 1 changes/)
})
