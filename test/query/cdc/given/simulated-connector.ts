// A connector over a made-up history, as it was measured: it appends to every partition in order but to each at its
// own pace, stores an offset now and then, loses at a crash what it had not appended, and goes on from the stored
// offset. Inside a transaction it then goes on numbering, or begins anew with a BEGIN and counts only the rest, or
// sends the last row again and counts it twice; between transactions it may repeat ENDs that count nothing.
import {
  type CommitLogEntry,
  type DataRecord,
  partitionKey,
} from "../../../../query/cdc/vocabulary/change.ts"
import { type Lsn, toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import type { Choices } from "../../../support/properties.ts"
import {
  genesis,
  identityOf,
  partitionsPerTable,
  type SourceRow,
  type SourceTransaction,
} from "./simulated-source.ts"

/** What happens in the history, one thing after the other. */
type Item =
  | { kind: "BEGIN"; transaction: SourceTransaction }
  | { kind: "row"; transaction: SourceTransaction; row: SourceRow }
  | { kind: "END"; transaction: SourceTransaction }

type Counts = ReadonlyMap<string, number>
/** How far the connector has come: items done, and what it had counted of the transaction it is in. */
type Point = { done: number; counts: Counts }
type Sent = { after: Point; appended: boolean; append: () => void }

export type Removal = { identity: string; xid: string } | { endOf: string }

export type Topics = { log: CommitLogEntry[]; data: Map<string, DataRecord[]> }
export type SimulatedConnector = ReturnType<typeof createSimulatedConnector>

export function createSimulatedConnector(
  history: readonly SourceTransaction[],
  choices: Choices,
  removal: Removal | null,
) {
  const items = history.flatMap((transaction): Item[] => [
    { kind: "BEGIN", transaction },
    ...transaction.rows.map((row): Item => ({ kind: "row", transaction, row })),
    { kind: "END", transaction },
  ])
  const topics: Topics = { log: [], data: new Map() }
  for (const table of ["t", "u"]) {
    for (let at = 0; at < partitionsPerTable; at++) topics.data.set(partitionKey(`p.public.${table}`, at), [])
  }
  topics.log.push({ status: "END", offset: 0n, xid: "1", commitLsn: genesis, counts: new Map() })
  let stored: Point = { done: 0, counts: new Map() }
  let reached = stored
  let run = 1
  let sent: Sent[] = []
  let queues = new Map<string, Sent[]>()

  return {
    topics,
    /** One thing that may happen; choice 0 goes on plainly. */
    step(): void {
      const waiting = [...queues.values()].filter((queue) => queue.length > 0)
      const what = choices.pick(16)
      if (what === 15) crash()
      else if (what >= 13) store(choices.pick(4))
      else if (what >= 8 || waiting.length === 0) for (let n = choices.pick(8); n >= 0; n--) produce()
      else appendFirst(waiting[choices.pick(waiting.length)])
    },
    /** Runs on without another crash until all is appended and the last offset is stored. */
    finish(): void {
      while (reached.done < items.length) produce()
      for (const queue of queues.values()) while (queue.length > 0) appendFirst(queue)
      store(0)
    },
    /** The commit LSN of the last transaction that the stored offset lies behind. */
    committedLsn(): Lsn {
      const last = items.slice(0, stored.done).findLast(({ kind }) => kind === "END")
      return last?.transaction.commitLsn ?? genesis
    },
  }

  function produce(): void {
    const item = items[reached.done]
    if (!item) return
    switch (item.kind) {
      case "BEGIN":
        reached = { done: reached.done + 1, counts: new Map() }
        sendBegin(item.transaction)
        break
      case "row":
        reached = { done: reached.done + 1, counts: counted(reached.counts, item.row) }
        sendRow(item.transaction, item.row)
        break
      case "END": {
        const { counts } = reached
        reached = { done: reached.done + 1, counts: new Map() }
        sendEnd(item.transaction, counts)
      }
    }
  }

  function crash(): void {
    sent = []
    queues = new Map()
    run++
    reached = stored
    const last = items[stored.done - 1]
    if (!last) return
    for (let repeated = Math.max(0, choices.pick(6) - 3); repeated > 0; repeated--) repeatEnd(repeated)
    if (last.kind === "END") return
    switch (choices.pick(4)) {
      case 0:
        return
      case 1:
        reached = { done: stored.done, counts: new Map() }
        sendBegin(last.transaction)
        return
      case 2: {
        // The transaction begins anew, some rows before the stored offset.
        const firstRow = items.findIndex((item) => item.transaction === last.transaction) + 1
        const from = firstRow + choices.pick(stored.done - firstRow + 1)
        reached = { done: from, counts: new Map() }
        sendBegin(last.transaction)
        return
      }
      default:
        if (last.kind !== "row") return
        reached = { done: stored.done, counts: counted(stored.counts, last.row) }
        sendRow(last.transaction, last.row)
    }
  }

  function repeatEnd(back: number): void {
    const ended = items.slice(0, stored.done).filter(({ kind }) => kind === "END")
    const item = ended.at(-back)
    if (item) sendEnd(item.transaction, new Map())
  }

  function store(fewer: number): void {
    const appended = sent.findIndex((one) => !one.appended)
    const whole = sent.slice(0, appended === -1 ? sent.length : appended)
    const last = whole.at(-1 - fewer)
    if (last) stored = last.after
  }

  function appendFirst(queue: Sent[] | undefined): void {
    const first = queue?.shift()
    if (!first) return
    first.append()
    first.appended = true
  }

  function send(queueName: string, isRemoved: boolean, append: () => void): void {
    const one: Sent = { after: reached, appended: false, append: isRemoved ? () => {} : append }
    sent.push(one)
    const queue = queues.get(queueName)
    if (queue) queue.push(one)
    else queues.set(queueName, [one])
  }

  function sendBegin({ xid }: SourceTransaction): void {
    send("log", false, () => topics.log.push({ status: "BEGIN", offset: BigInt(topics.log.length), xid }))
  }

  function sendEnd({ xid, commitLsn }: SourceTransaction, byTable: Counts): void {
    const counts = new Map([...byTable].map(([table, count]) => [`public.${table}`, count]))
    const isRemoved = removal !== null && "endOf" in removal && removal.endOf === xid
    send("log", isRemoved, () =>
      topics.log.push({ status: "END", offset: BigInt(topics.log.length), xid, commitLsn, counts }),
    )
  }

  function sendRow(transaction: SourceTransaction, row: SourceRow): void {
    const { partition } = row
    if (partition === null) return
    const { xid, previousCommitLsn } = transaction
    const identity = identityOf(row)
    const topic = `p.public.${row.table}`
    const records = topics.data.get(partitionKey(topic, partition)) ?? []
    const runId = `run-${run}`
    const key = [row.key]
    const isRemoved =
      removal !== null && "identity" in removal && removal.identity === identity && removal.xid === xid
    send(partitionKey(topic, partition), isRemoved, () =>
      records.push({
        origin: { topic, partition, offset: BigInt(records.length) },
        runId,
        identity,
        xid,
        lsn: toLsn(row.lsn),
        previousCommitLsn,
        bytes: 1,
        change:
          row.op === "d"
            ? { op: "delete", table: row.table, key }
            : { op: "upsert", table: row.table, key, row: key, isNew: false },
      }),
    )
  }
}

const counted = (counts: Counts, { table }: SourceRow): Counts =>
  new Map(counts).set(table, (counts.get(table) ?? 0) + 1)
