// What the assembler releases, what it waits for and what it halts on, case by case. The chain begins at 100; the
// properties in flow.property.test.ts search the rest.
// One file: it is one table of stories in one small language.
import { describe, expect, test } from "vitest"
import { type Assembler, createAssembler } from "../../../../query/cdc/assemble/assemble.ts"
import type { UnreadableRecord } from "../../../../query/cdc/assemble/unreadable.ts"
import type { CommitLogEntry, DataRecord } from "../../../../query/cdc/vocabulary/change.ts"
import { EngineError } from "../../../../query/cdc/vocabulary/errors.ts"
import { begin, end, lsn, type RowChange, rowChange } from "../given/records.ts"

const assembler = (baseLsn = 0): Assembler =>
  createAssembler({
    lastEnd: lsn(100),
    baseLsn: lsn(baseLsn),
    tables: new Set(["public.t", "public.u"]),
  })

/** `proven`: everything up to there has been read; `rowsProven`: every row has, but perhaps not every copy. */
type Step = DataRecord | CommitLogEntry | { proven: number } | { rowsProven: number } | UnreadableRecord

/** Gives the steps and, after each, takes what is released: `xid@commitLsn[lsns]`, then what is awaited. */
function play(steps: readonly Step[], under = assembler()): string[] {
  const told: string[] = []
  for (const step of steps) {
    if ("change" in step) under.addRecord(step)
    else if ("origin" in step) under.addUnreadable(step)
    else if ("proven" in step) under.prove(lsn(step.proven))
    else if ("rowsProven" in step) under.proveRows(lsn(step.rowsProven))
    else under.addEntry(step)
    for (let next = under.next(); next.state === "released"; next = under.next()) {
      const { xid, commitLsn, records } = next.transaction
      const standIns = next.unreadable.map(({ origin }) => `?${origin.offset}`)
      told.push(`${xid}@${commitLsn}[${[...records.map((record) => record.lsn), ...standIns].join(",")}]`)
    }
  }
  const next = under.next()
  if (next.state === "waiting-for-rows") {
    const { xid, received, expected, disturbed } = next.head
    told.push(`${disturbed ? "disturbed " : ""}${xid} has ${received} of ${expected}`)
  } else told.push(next.state)
  return told
}

/** Row `lsn` of transaction 1 (100 -> 200), of 2 (200 -> 300), of 3 (300 -> 400). */
const row = (xid: number, at: number, more: Partial<RowChange> = {}): DataRecord =>
  rowChange({ xid, lsn: at, previous: xid * 100, key: at, offset: at, ...more })

/** A record that cannot be read, of the partition of `row` by default. */
const unreadable = (offset: number, table = "t", partition = 0): UnreadableRecord => ({
  origin: { topic: `p.public.${table}`, partition, offset: BigInt(offset) },
  table,
})

const cases: { name: string; steps: Step[]; told: string[] }[] = [
  { name: "nothing at all is idle", steps: [], told: ["idle"] },
  {
    name: "an undisturbed transaction leaves when its count is there",
    steps: [begin(1), row(1, 110), row(1, 120), end(1, 200, 2)],
    told: ["1@200[110,120]", "idle"],
  },
  {
    name: "END before its rows waits for them",
    steps: [begin(1), end(1, 200, 2), row(1, 120), row(1, 110)],
    told: ["1@200[110,120]", "idle"],
  },
  {
    name: "a missing row is awaited, and named in numbers",
    steps: [begin(1), row(1, 110), end(1, 200, 2)],
    told: ["1 has 1 of 2"],
  },
  {
    name: "rows without their END wait for it",
    steps: [begin(1), row(1, 110)],
    told: ["waiting-for-end"],
  },
  {
    name: "transactions leave in commit order, whatever arrives first",
    steps: [row(2, 105), begin(1), end(1, 200, 1), begin(2), end(2, 300, 1), row(1, 190)],
    told: ["1@200[190]", "2@300[105]", "idle"],
  },
  {
    name: "an unreadable record does not account for a row that may still come",
    steps: [begin(1), row(1, 110), unreadable(120), row(2, 210), end(1, 200, 2)],
    told: ["1 has 1 of 2"],
  },
  {
    name: "it accounts for the missing row once all rows have been read",
    steps: [begin(1), row(1, 110), unreadable(120), row(2, 210), end(1, 200, 2), { rowsProven: 200 }],
    told: ["1@200[110,?120]", "waiting-for-end"],
  },
  {
    name: "it may be the transaction's only row",
    steps: [begin(1), unreadable(120), end(1, 200, 1), { proven: 200 }],
    told: ["1@200[?120]", "idle"],
  },
  {
    name: "it accounts for no row of a transaction that is whole",
    steps: [begin(1), unreadable(105), row(1, 110), row(1, 120), end(1, 200, 2)],
    told: ["1@200[110,120]", "idle"],
  },
  {
    name: "it accounts for a row of the transaction it lies in, not of the one before",
    steps: [
      begin(1),
      row(1, 110),
      end(1, 200, 1),
      begin(2),
      row(2, 210),
      unreadable(220),
      end(2, 300, 2),
      { rowsProven: 300 },
    ],
    told: ["1@200[110]", "2@300[210,?220]", "idle"],
  },
  {
    name: "of two the one is taken that no later transaction can have",
    steps: [
      begin(1),
      unreadable(220, "t", 1),
      unreadable(120),
      row(1, 130),
      end(1, 200, 2),
      { rowsProven: 200 },
      begin(2),
      row(2, 210),
      end(2, 300, 2),
      { rowsProven: 300 },
    ],
    told: ["1@200[130,?120]", "2@300[210,?220]", "idle"],
  },
  {
    name: "a disturbed transaction that lacks all its rows has one that cannot be read",
    steps: [begin(1), begin(1), unreadable(120), end(1, 200, 1), { proven: 200 }],
    told: ["1@200[]", "idle"],
  },
  {
    name: "changes leave in the order of their LSNs, not of their partitions",
    steps: [
      begin(1),
      row(1, 130, { partition: 1 }),
      row(1, 110, { partition: 2 }),
      row(1, 120, { table: "u" }),
      end(1, 200, { "public.t": 2, "public.u": 1 }),
    ],
    told: ["1@200[110,120,130]", "idle"],
  },
  {
    name: "a copy of a pending row counts once",
    steps: [begin(1), row(1, 110), row(1, 110, { offset: 111 }), end(1, 200, 2), row(1, 120)],
    told: ["1@200[110,120]", "idle"],
  },
  {
    name: "a copy of an applied row is passed over",
    steps: [begin(1), row(1, 110), end(1, 200, 1), row(1, 110, { offset: 500, runId: "run-2" })],
    told: ["1@200[110]", "idle"],
  },
  {
    name: "rows of COPY share one LSN and are told apart by their keys",
    steps: [begin(1), row(1, 110, { key: "a" }), row(1, 110, { key: "b" }), end(1, 200, 2)],
    told: ["1@200[110,110]", "idle"],
  },
  {
    name: "tables that nobody reads are not counted",
    steps: [begin(1), row(1, 110), end(1, 200, { "public.t": 1, "public.cdc_signals": 7 })],
    told: ["1@200[110]", "idle"],
  },
  {
    name: "a transaction without rows to read leaves only with the proof",
    steps: [begin(1), end(1, 200, { "public.cdc_signals": 2 })],
    told: ["1 has 0 of 0"],
  },
  {
    name: "and with it does",
    steps: [begin(1), end(1, 200, { "public.cdc_signals": 2 }), { proven: 200 }],
    told: ["1@200[]", "idle"],
  },
  {
    name: "a proof of an earlier position proves nothing",
    steps: [begin(1), end(1, 200, 0), { proven: 199 }],
    told: ["1 has 0 of 0"],
  },
  {
    name: "what is sent again of an applied transaction changes nothing, here or later",
    steps: [
      begin(1),
      row(1, 110),
      end(1, 200, 1),
      begin(1),
      end(1, 200, 0),
      begin(2),
      end(2, 300, 1),
      row(2, 210),
    ],
    told: ["1@200[110]", "2@300[210]", "idle"],
  },
  {
    name: "a second BEGIN makes counts meaningless, even one that fits",
    steps: [begin(1), row(1, 110), begin(1), end(1, 200, 1)],
    told: ["disturbed 1 has 1 of 1"],
  },
  {
    name: "an END sent again with another count does not",
    steps: [begin(1), end(1, 200, 2), end(1, 200, 0), row(1, 110), row(1, 120)],
    told: ["1@200[110,120]", "idle"],
  },
  {
    name: "but shows that the first counted a row twice, when all is read",
    steps: [begin(1), end(1, 200, 2), end(1, 200, 1), row(1, 110), { proven: 200 }],
    told: ["1@200[110]", "idle"],
  },
  {
    name: "as does a second run",
    steps: [begin(1), row(1, 110), row(1, 120, { runId: "run-2" }), end(1, 200, 2)],
    told: ["disturbed 1 has 2 of 2"],
  },
  {
    name: "as does a copy of another run",
    steps: [begin(1), row(1, 110), row(1, 110, { runId: "run-2", offset: 111 }), end(1, 200, 1)],
    told: ["disturbed 1 has 1 of 1"],
  },
  {
    name: "as does a missing BEGIN",
    steps: [row(1, 110), end(1, 200, 1)],
    told: ["disturbed 1 has 1 of 1"],
  },
  {
    name: "a disturbed transaction leaves with what is there once that is proven to be all",
    steps: [
      begin(1),
      row(1, 110),
      begin(1),
      row(1, 120, { runId: "run-2" }),
      end(1, 200, 1),
      { proven: 200 },
    ],
    told: ["1@200[110,120]", "idle"],
  },
  {
    name: "for that every row must be known to have been read, not every copy",
    steps: [begin(1), row(1, 110), begin(1), end(1, 200, 1), { rowsProven: 200 }],
    told: ["1@200[110]", "idle"],
  },
  {
    name: "while only copies are unread, a count that differs may still be one of a disturbed transaction",
    steps: [begin(1), row(1, 110), end(1, 200, 2), { rowsProven: 200 }],
    told: ["1 has 1 of 2"],
  },
  {
    name: "a count one too high is no loss in a disturbed transaction",
    steps: [
      begin(1),
      row(1, 110),
      row(1, 110, { runId: "run-2", offset: 111 }),
      end(1, 200, 2),
      { proven: 200 },
    ],
    told: ["1@200[110]", "idle"],
  },
]

test.each(cases)("$name", ({ steps, told }) => expect(play(steps)).toEqual(told))

test("of a primary key change the new row comes first, so that it can take values from the old one", () => {
  const under = assembler()
  under.addEntry(begin(1))
  under.addRecord(row(1, 110, { key: "old", op: "d", partition: 1 }))
  under.addRecord(row(1, 110, { key: "new", op: "c", partition: 2 }))
  under.addRecord(row(1, 105, { key: "old" }))
  under.addEntry(end(1, 200, 3))
  const next = under.next()
  const changes = next.state === "released" ? next.transaction.records.map(({ change }) => change) : []
  expect(changes.map(({ op, key }) => `${op} ${key.join()}`)).toEqual([
    "upsert old",
    "upsert new",
    "delete old",
  ])
})

test("the released transaction names the offset of its END, where a restart reads from", () => {
  const under = assembler()
  under.addEntry(begin(1, 7))
  under.addRecord(row(1, 110))
  under.addEntry(end(1, 200, 1, 8))
  expect(under.next()).toMatchObject({ transaction: { xid: "1", commitLsn: 200n, endOffset: 8n } })
})

describe("a change that cannot be applied", () => {
  const error = new EngineError("incompatible-schema", "it does not fit")
  const blocked = (record: DataRecord): DataRecord => ({
    ...record,
    change: { op: "blocked", table: "t", key: [], error },
  })

  test("stops before its transaction, and only when all before it has left", () => {
    const under = assembler()
    const steps = [begin(1), end(1, 200, 1), begin(2), blocked(row(2, 210)), end(2, 300, 1)]
    expect(play(steps, under)).toEqual(["1 has 0 of 1"])
    under.addRecord(row(1, 110))
    expect(under.next()).toMatchObject({ state: "released", transaction: { xid: "1" } })
    const place = { topic: "p.public.t", partition: 0, offset: "210", xid: "2", commitLsn: "0/12C" }
    for (const _ of [1, 2]) {
      expect(() => under.next()).toThrow(
        expect.objectContaining({ code: error.code, message: error.message, detail: place }),
      )
    }
    expect(under.lastEnd()).toBe(200n)
  })

  test("is awaited like any other until its transaction is whole", () => {
    const steps = [begin(1), blocked(row(1, 110)), end(1, 200, 2)]
    const under = assembler()
    expect(play(steps, under)).toEqual(["1 has 1 of 2"])
    under.addRecord(row(1, 120))
    expect(() => under.next()).toThrow(error.message)
  })

  test("is passed over when the base holds its transaction", () => {
    const steps = [begin(1), blocked(row(1, 110)), end(1, 200, 1), begin(2), row(2, 210), end(2, 300, 1)]
    expect(play(steps, assembler(250))).toEqual(["2@300[210]", "idle"])
  })
})

describe("the base", () => {
  test("holds transactions up to C: their ENDs are passed over, with rows or without", () => {
    const steps = [end(1, 200, 3), row(2, 210), end(2, 300, 1), begin(3), row(3, 310), end(3, 400, 1)]
    expect(play(steps, assembler(300))).toEqual(["3@400[310]", "idle"])
  })

  test("may end between two ENDs", () => {
    const steps = [end(1, 200, 1), begin(2), end(2, 300, 1), row(2, 150)]
    expect(play(steps, assembler(250))).toEqual(["2@300[150]", "idle"])
  })

  test("holds the first transaction of the slot, whose rows name no predecessor and may be sent again", () => {
    const under = assembler(200)
    const first = rowChange({ xid: 1, lsn: 110, previous: null, offset: 0 })
    expect(play([first, end(1, 200, 1), first], under)).toEqual(["idle"])
    expect(under.resumeOffsets(new Map([["p.public.t/0", 1n]]))).toEqual(new Map([["p.public.t/0", 1n]]))
  })

  test("does not stretch over a missing END at its edge", () => {
    const steps = [end(1, 200, 1), begin(3), end(3, 400, 1), row(3, 310)]
    expect(() => play(steps, assembler(250))).toThrow(/300|0\/12C/)
  })
})

const halts: { name: string; steps: Step[]; code: string; says: RegExp }[] = [
  {
    name: "another transaction's rows follow the last END",
    steps: [row(1, 110), begin(2), end(2, 300, 1)],
    code: "broken-chain",
    says: /transaction 1 follows 0\/64, but its END is missing/,
  },
  {
    name: "the head's rows name a later predecessor",
    steps: [begin(2), end(2, 300, 1), row(2, 210)],
    code: "broken-chain",
    says: /its records name 0\/C8 as their predecessor/,
  },
  {
    name: "the head's rows name no predecessor: the slot is a new one",
    steps: [begin(1), end(1, 200, 1), rowChange({ xid: 1, lsn: 110, previous: null, offset: 0 })],
    code: "broken-chain",
    says: /none \(a new replication slot\)/,
  },
  {
    name: "rows show a commit before the head that has no END",
    steps: [begin(3), end(3, 400, 2), row(2, 210)],
    code: "broken-chain",
    says: /a transaction committed at 0\/C8 before it has no END/,
  },
  {
    name: "rows of one transaction name two predecessors",
    steps: [begin(1), row(1, 110), row(1, 120, { previous: 150 }), end(1, 200, 2)],
    code: "broken-chain",
    says: /its records name 0\/96/,
  },
  {
    name: "an undisturbed transaction is proven to be all there and misses rows",
    steps: [begin(1), row(1, 110), end(1, 200, 2), { proven: 200 }],
    code: "count-mismatch",
    says: /Transaction 1 \(0\/C8\) has 2 row changes, but only 1 are in the topics/,
  },
  {
    name: "two rows are missing and only one record cannot be read",
    steps: [begin(1), row(1, 110), unreadable(120), end(1, 200, 3), { proven: 200 }],
    code: "count-mismatch",
    says: /has 3 row changes, but only 1 are/,
  },
  {
    name: "a row of one table is missing, the unreadable record is another table's",
    steps: [begin(1), row(1, 110), unreadable(120, "u"), end(1, 200, 2), { proven: 200 }],
    code: "count-mismatch",
    says: /has 2 row changes/,
  },
  {
    name: "the unreadable record lies behind a later transaction",
    steps: [begin(1), row(1, 110), row(2, 210), unreadable(220), end(1, 200, 2), { proven: 200 }],
    code: "count-mismatch",
    says: /has 2 row changes/,
  },
  {
    name: "the unreadable record lies before an earlier transaction",
    steps: [
      begin(1),
      unreadable(105),
      row(1, 110),
      end(1, 200, 1),
      begin(2),
      row(2, 210),
      end(2, 300, 2),
      { proven: 300 },
    ],
    code: "count-mismatch",
    says: /Transaction 2 .* has 2 row changes/,
  },
  {
    name: "an END sent again, which counts nothing, agrees with what is there",
    steps: [begin(1), end(1, 200, 1), end(1, 200, 0), { proven: 200 }],
    code: "count-mismatch",
    says: /has 1 row changes, but only 0 are in the topics/,
  },
  {
    name: "a disturbed transaction counted rows and none is there",
    steps: [begin(1), begin(1), end(1, 200, 2), { proven: 200 }],
    code: "count-mismatch",
    says: /only 0 are in the topics/,
  },
  {
    name: "the END of a transaction is missing before one without rows to read",
    steps: [begin(2), end(2, 300, { "public.cdc_signals": 2 }), row(1, 110), { proven: 300 }],
    code: "broken-chain",
    says: /transaction 1 follows/,
  },
]

test.each(halts)("halts when $name", ({ steps, code, says }) => {
  const failure = thrownBy(() => play(steps))
  expect(failure).toMatchObject({ code, disposition: "halt", nextStep: expect.stringContaining("rebuild") })
  expect(failure.message).toMatch(says)
  expect(failure.detail).toMatchObject({ xid: expect.any(String), commitLsn: expect.any(String) })
})

function thrownBy(work: () => void): EngineError {
  try {
    work()
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  return expect.unreachable("it should have halted")
}

describe("resume offsets", () => {
  const reached = new Map([
    ["p.public.t/0", 50n],
    ["p.public.t/1", 60n],
    ["p.public.u/0", 70n],
  ])

  test("are the next offsets while nothing is pending", () => {
    expect(assembler().resumeOffsets(reached)).toEqual(reached)
  })

  test("go back to the first copy of a pending row, also when that copy was read last", () => {
    const under = assembler()
    under.addRecord(row(1, 110, { offset: 49 }))
    under.addRecord(row(2, 210, { offset: 44, partition: 1 }))
    under.addRecord(row(1, 110, { offset: 41 }))
    expect(under.resumeOffsets(reached)).toEqual(
      new Map([
        ["p.public.t/0", 41n],
        ["p.public.t/1", 44n],
        ["p.public.u/0", 70n],
      ]),
    )
  })

  test("move on with the release", () => {
    const under = assembler()
    play([begin(1), row(1, 110, { offset: 40 }), row(2, 210, { offset: 45 }), end(1, 200, 1)], under)
    expect(under.resumeOffsets(reached).get("p.public.t/0")).toBe(45n)
  })
})

test("bytes are held until the release, and copies hold none", () => {
  const under = assembler()
  play([row(1, 110), row(1, 110, { offset: 111 }), row(2, 210)], under)
  const ofTwo = under.pendingBytes()
  expect(ofTwo).toBeGreaterThan(200)
  play([begin(1), end(1, 200, 1)], under)
  expect(under.pendingBytes()).toBe(ofTwo / 2)
})

test("a partition is read beyond the head once a later transaction was seen in it", () => {
  const under = assembler()
  under.addRecord(row(2, 210, { partition: 1 }))
  under.addRecord(row(1, 110, { partition: 1, runId: "run-2" }))
  under.addRecord(row(1, 120, { partition: 2 }))
  const beyond = () => [1, 2].map((partition) => under.isReadBeyondHead(`p.public.t/${partition}`))
  expect(beyond()).toEqual([true, false])
  play([begin(1), end(1, 200, 2), { rowsProven: 200 }], under)
  expect(beyond()).toEqual([false, false])
})

test("only records after the head may make their partition pause", () => {
  const under = assembler()
  expect(under.isBeyondHead(row(2, 210))).toBe(true)
  expect(under.isBeyondHead(row(1, 110))).toBe(false)
  expect(under.isBeyondHead(rowChange({ lsn: 5, previous: 50, offset: 0 }))).toBe(false)
  expect(under.isBeyondHead(rowChange({ lsn: 5, previous: null, offset: 0 }))).toBe(false)
  play([begin(1), row(1, 110), end(1, 200, 1)], under)
  expect(under.isBeyondHead(row(2, 210))).toBe(false)
})

test("reading far ahead of the commit log costs no more for each transaction", () => {
  const under = assembler()
  const count = 20_000
  for (let at = 1; at <= count; at++) {
    under.addRecord(rowChange({ xid: at, lsn: at * 100 + 10, previous: at * 100, offset: at }))
  }
  const started = performance.now()
  for (let at = 1; at <= count; at++) {
    under.addEntry(begin(at))
    under.addEntry(end(at, at * 100 + 100, 1))
  }
  let released = 0
  while (under.next().state === "released") released++
  expect(released).toBe(count)
  // Quadratic work takes half a minute.
  expect(performance.now() - started).toBeLessThan(3_000)
})
