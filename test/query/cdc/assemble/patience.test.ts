// How the head of the line is waited for, on a clock in the test's hands.
import { expect, test } from "vitest"
import type { Head, Next } from "../../../../query/cdc/assemble/head.ts"
import { Patience } from "../../../../query/cdc/assemble/patience.ts"
import type { Committed } from "../../../../query/cdc/assemble/proof.ts"
import { lsn } from "../given/records.ts"

const head: Head = {
  xid: "815",
  commitLsn: lsn(200),
  previousCommitLsn: lsn(100),
  expected: 5,
  received: 3,
  disturbed: false,
  isCounted: true,
  needsProof: false,
}
const waitingFor = (more: Partial<Head>): Next => ({ state: "waiting-for-rows", head: { ...head, ...more } })
const ends = { data: new Map([["t/0", 10n]]), commitLog: new Map([["log/0", 7n]]) }
const committedUpTo = (commitLsn: number): Committed => ({ commitLsn: lsn(commitLsn), ends })
const readTo = (data: bigint, log: bigint) => ({
  next: new Map([
    ["t/0", data],
    ["log/0", log],
  ]),
  isReadBeyondHead: () => false,
})

function start() {
  const clock = { ms: 10_000 }
  return { clock, patience: new Patience(() => clock.ms) }
}

test("the connector is asked once a transaction has missed rows for a second, and not before", () => {
  const { clock, patience } = start()
  patience.note(waitingFor({}))
  clock.ms += 999
  expect(patience.ask()).toBeNull()
  clock.ms += 1
  expect(patience.ask()).toBe(head.commitLsn)
})

test("the second is counted from when the transaction became the head, however many rows have come since", () => {
  const { clock, patience } = start()
  patience.note(waitingFor({ received: 1 }))
  clock.ms += 600
  patience.note(waitingFor({ received: 4 }))
  clock.ms += 400
  expect(patience.ask()).toBe(head.commitLsn)
})

test("a transaction whose count says nothing is asked about at once", () => {
  const { patience } = start()
  patience.note(waitingFor({ disturbed: true, isCounted: false, needsProof: true }))
  expect(patience.ask()).toBe(head.commitLsn)
})

test("one question at a time, and the next one a moment after the answer", () => {
  const { clock, patience } = start()
  patience.note(waitingFor({ needsProof: true }))
  expect(patience.ask()).not.toBeNull()
  expect(patience.ask()).toBeNull()
  patience.answered(head.commitLsn, null)
  expect(patience.ask()).toBeNull()
  clock.ms += 50
  expect(patience.ask()).toBe(head.commitLsn)
})

test("nothing is proven while the connector has not committed beyond the transaction, whatever was read", () => {
  const { patience } = start()
  patience.note(waitingFor({ needsProof: true }))
  patience.ask()
  patience.answered(head.commitLsn, committedUpTo(199))
  expect(patience.proven(readTo(10n, 7n))).toBeNull()
  patience.answered(head.commitLsn, committedUpTo(200))
  expect(patience.proven(readTo(10n, 7n))).toMatchObject({ proven: "everything", commitLsn: lsn(200) })
})

test("the topics' ends of the first answer hold: records that come later belong to later transactions", () => {
  const { patience } = start()
  patience.note(waitingFor({ needsProof: true }))
  patience.answered(head.commitLsn, committedUpTo(200))
  const later = { data: new Map([["t/0", 99n]]), commitLog: new Map([["log/0", 99n]]) }
  patience.answered(head.commitLsn, { commitLsn: lsn(900), ends: later })
  expect(patience.proven(readTo(10n, 7n))).toMatchObject({ proven: "everything", commitLsn: lsn(200) })
})

test("one answer serves every transaction that the connector had committed; rows are proven for the head alone", () => {
  const { patience } = start()
  patience.note(waitingFor({ needsProof: true }))
  patience.answered(head.commitLsn, committedUpTo(350))
  expect(patience.proven(readTo(10n, 6n))).toMatchObject({ proven: "rows", commitLsn: lsn(200) })
  expect(patience.proven(readTo(10n, 7n))).toMatchObject({ proven: "everything", commitLsn: lsn(350) })
})

test("an answer about a transaction that is the head no longer changes nothing", () => {
  const { patience } = start()
  patience.note(waitingFor({ needsProof: true }))
  patience.ask()
  patience.note(waitingFor({ needsProof: true, commitLsn: lsn(300) }))
  patience.answered(head.commitLsn, committedUpTo(350))
  expect(patience.proven(readTo(10n, 7n))).toBeNull()
  expect(patience.ask()).toBe(lsn(300))
})

test("a crash inside a transaction is told once, when it shows", () => {
  const { patience } = start()
  expect(patience.note(waitingFor({}))).toBeNull()
  expect(patience.note(waitingFor({ disturbed: true }))).toMatchObject({ xid: "815" })
  expect(patience.note(waitingFor({ disturbed: true, received: 5 }))).toBeNull()
  expect(patience.disturbed()).toBe(1)
})

test("says for what it waits, and for how long", () => {
  const { clock, patience } = start()
  expect(patience.describe()).toBeNull()
  patience.note(waitingFor({}))
  expect(patience.describe()).toBeNull()
  clock.ms += 1_500
  expect(patience.describe()).toBe("transaction 815 (0/C8) has waited 1.5 s for rows (3 of 5 are here)")
  patience.note(waitingFor({ needsProof: true }))
  expect(patience.describe()).toBe("transaction 815 (0/C8) has waited 1.5 s for the proof that it is whole")
  patience.note({ state: "idle" })
  clock.ms += 9_000
  expect(patience.describe()).toBe("capture has been silent for 10.5 s; is the connector running?")
  patience.heard()
  expect(patience.describe()).toBeNull()
})
