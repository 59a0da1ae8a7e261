import { expect, test } from "vitest"
import {
  assertIsLastEnd,
  assertKept,
  assertSameTopic,
  findLogStart,
} from "../../../../query/cdc/intake/topic-range.ts"
import { lsn } from "../given/records.ts"

const range = (low: bigint, high: bigint) => ({ low, high })

test.each([
  { offset: 5n, low: 5n, high: 9n, why: "the first record kept is the next one" },
  { offset: 9n, low: 5n, high: 9n, why: "all is read, more is to come" },
  { offset: 9n, low: 9n, high: 9n, why: "all that has expired was read" },
])("nothing is missing when $why", ({ offset, low, high }) => {
  expect(() => assertKept("t/0", offset, range(low, high))).not.toThrow()
  expect(() => assertSameTopic("t/0", offset, range(low, high))).not.toThrow()
})

test("a gap is named with its first and last record, and the way out", () => {
  expect(() => assertKept("t/0", 5n, range(8n, 9n))).toThrow(
    expect.objectContaining({
      code: "history-truncated",
      message: "t/0 begins at offset 8; 5 to 7 were not applied yet and are gone.",
      nextStep: expect.stringContaining("rebuild from a snapshot"),
      detail: { partition: "t/0", offset: "5", low: "8", high: "9" },
    }),
  )
})

test("a topic that ends before what was read of it is another one", () => {
  expect(() => assertSameTopic("t/0", 10n, range(0n, 9n))).toThrow(
    expect.objectContaining({ code: "commit-log-mismatch" }),
  )
})

test.each([
  { low: 0n, start: 7n, why: "from the last END, which is there" },
  { low: 7n, start: 7n, why: "from the last END, which is the first record kept" },
  { low: 8n, start: 8n, why: "after the last END, when that alone has expired" },
  { low: 9n, start: 7n, why: "from the last END, when more has expired, which is then noticed" },
])("the commit log is read $why", ({ low, start }) => {
  expect(findLogStart(7n, range(low, 20n))).toBe(start)
})

test("the record at the last END's offset must be that END", () => {
  const last = { lastEnd: lsn(100), lastEndOffset: 7n }
  const end = {
    status: "END",
    xid: "1",
    commitLsn: lsn(100),
    offset: 7n,
    counts: new Map<string, number>(),
  } as const
  expect(() => assertIsLastEnd(end, last)).not.toThrow()
  expect(() => assertIsLastEnd({ ...end, commitLsn: lsn(99) }, last)).toThrow(/not the END/)
  expect(() => assertIsLastEnd({ ...end, offset: 8n }, last)).toThrow(/not the END/)
})
