// The proof that a transaction has been read: where the topics ended once the connector had committed it.
import { expect, test } from "vitest"
import { type Committed, judgeReading } from "../../../../query/cdc/assemble/proof.ts"
import { lsn } from "../given/records.ts"

const offsets = (entries: Record<string, number>): Map<string, bigint> =>
  new Map(Object.entries(entries).map(([partition, offset]) => [partition, BigInt(offset)]))

const committed: Committed = {
  commitLsn: lsn(200),
  ends: { data: offsets({ "t/0": 10, "t/1": 5 }), commitLog: offsets({ "log/0": 7 }) },
}

test.each([
  { read: {}, beyond: [], proven: "nothing", because: "nothing has been read" },
  {
    read: { "t/0": 10, "t/1": 5, "log/0": 7 },
    beyond: [],
    proven: "everything",
    because: "all ends are reached",
  },
  {
    read: { "t/0": 99, "t/1": 99, "log/0": 99 },
    beyond: [],
    proven: "everything",
    because: "reading has gone on",
  },
  {
    read: { "t/0": 10, "t/1": 3, "log/0": 7 },
    beyond: [],
    proven: "nothing",
    because: "rows may be in t/1 still",
  },
  {
    read: { "t/0": 10, "t/1": 3, "log/0": 7 },
    beyond: ["t/1"],
    proven: "rows",
    because: "t/1 may hold copies only",
  },
  {
    read: { "t/0": 10, "t/1": 5, "log/0": 6 },
    beyond: [],
    proven: "rows",
    because: "a marker may be in the log still",
  },
])("$proven is proven when $because", ({ read, beyond, proven }) => {
  const isReadBeyondHead = (partition: string): boolean => beyond.some((one) => one === partition)
  expect(judgeReading(committed, { next: offsets(read), isReadBeyondHead })).toBe(proven)
})
