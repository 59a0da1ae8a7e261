// Stands for Kafka and Postgres around the flow of the product: a client that delivers partitions in any interleaving,
// older batches again and batches from further on; a connector that has committed so far; a database that stores a step
// whole or not at all. Everything between them is query/cdc/projector/flow.ts and query/cdc/intake/reading.ts.
// One file: Kafka, Postgres and the connector are simulated together, because every choice may concern each of them.
import type { Limits } from "../../../../query/cdc/assemble/back-pressure.ts"
import { sortAsMade } from "../../../../query/cdc/assemble/pending.ts"
import { Reading } from "../../../../query/cdc/intake/reading.ts"
import type { Progress } from "../../../../query/cdc/lease/progress.ts"
import { Flow, transactionsOf, type Work } from "../../../../query/cdc/projector/flow.ts"
import {
  type DataRecord,
  partitionKey,
  type Read,
  type Transaction,
} from "../../../../query/cdc/vocabulary/change.ts"
import { type Lsn, toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import type { Choices } from "../../../support/properties.ts"
import type { SimulatedConnector } from "./simulated-connector.ts"
import { genesis } from "./simulated-source.ts"

export type SimulatedReader = ReturnType<typeof createSimulatedReader>

const commitLog = partitionKey("p.transaction", 0)
/** A step longer than any patience. */
const longMs = 2_000

/** `limits` decide when a partition pauses and a transaction is staged. */
export function createSimulatedReader(
  connector: SimulatedConnector,
  options: { choices: Choices; baseLsn: Lsn; limits: Limits },
) {
  const { topics } = connector
  const { choices } = options
  const dataPartitions = [...topics.data.keys()]
  const partitions = [commitLog, ...dataPartitions]
  const applied: Transaction[] = []
  let stored: Progress = {
    position: genesis,
    baseLsn: options.baseLsn,
    lastEnd: genesis,
    lastEndOffset: 0n,
    resumeOffsets: new Map(),
    heartbeatAt: null,
  }
  /** The staged table, by identity. */
  let stagedTable = new Map<string, DataRecord>()
  let nowMs = 0
  let isConnectDown = false
  const reading = new Reading()
  const flow = new Flow({
    source: { systemIdentifier: "1", timeline: 1 },
    tables: new Set(["public.t", "public.u"]),
    heartbeatTable: "heartbeat",
    commitLog,
    limits: options.limits,
    deadLetterLimit: 0,
    batchRows: 1 + choices.pick(8),
    stageRows: 1 + choices.pick(3),
    readUpTo: () => reading.next(),
    now: () => nowMs,
  })
  const paused = new Set<string>()
  /** Where the client fetches next. */
  const fetched = new Map<string, number>()
  let underWay: Work | null = null
  let highestBytes = 0
  let staged = 0
  let prepared = 0
  /** The connector has said since the last step that it has committed the head. */
  let isCommitted = false
  let isAllResumed = false

  join()

  return {
    applied,
    /** The most that was in memory; 0 if all had to be read for the sake of a proof. */
    highestBytes: () => (isAllResumed ? 0 : highestBytes),
    /** How many transactions were applied from the staged table. */
    staged: () => staged,
    /** How often a batch was gathered while another was under way. */
    prepared: () => prepared,
    /** One thing that may happen; choice 0 goes on plainly. @throws EngineError as the flow does. */
    step(): void {
      const what = choices.pick(19)
      if (what < 5) fetch(commitLog, 1 + choices.pick(4))
      else if (what < 10)
        fetch(dataPartitions[choices.pick(dataPartitions.length)] ?? "", 1 + choices.pick(4))
      else if (what < 12) pump()
      else if (what < 14) {
        // The next batch may be gathered while this one is on its way.
        if (choices.pick(2) === 1) prepare()
        commit()
      } else if (what === 14) askCommitted()
      else if (what === 15) nowMs += choices.pick(longMs)
      else if (what === 16) deliverElsewhere(partitions[choices.pick(partitions.length)] ?? "")
      else if (what === 17) isConnectDown = choices.pick(2) === 1
      else restart()
    },
    /** Reads, applies and proves until nothing moves any more. */
    drain(): void {
      isConnectDown = false
      for (let before = "", round = 0; before !== progress(); round++) {
        before = progress()
        if (round % 2 === 1) prepare()
        commit()
        for (const partition of partitions) fetch(partition, 1)
        pump()
        nowMs += longMs
        askCommitted()
        pump()
      }
    },
  }

  /** As query/cdc/intake/intake.ts after a join: from what is stored, or from the beginning of a partition. */
  function join(): void {
    flow.end()
    flow.begin({ progress: stored, unplaced: [], deadLetterRows: new Set() })
    stagedTable = new Map()
    underWay = null
    act()
    const next = new Map(
      partitions.map((partition) => [
        partition,
        partition === commitLog ? stored.lastEndOffset : (stored.resumeOffsets.get(partition) ?? 0n),
      ]),
    )
    reading.begin(next)
    for (const [partition, offset] of next) fetched.set(partition, Number(offset))
  }

  /** The client goes on where it is, unless the partition is paused. */
  function fetch(partition: string, count: number): void {
    for (let n = 0; n < count && !paused.has(partition); n++) {
      const at = fetched.get(partition) ?? 0
      const read = readAt(partition, at)
      if (!read) return
      fetched.set(partition, at + 1)
      deliver(partition, BigInt(at), read)
    }
  }

  /** Batches that were fetched before a seek come after it, and a client may jump ahead without a word. */
  function deliverElsewhere(partition: string): void {
    const at = Math.max(0, (fetched.get(partition) ?? 0) + choices.pick(9) - 4)
    const read = readAt(partition, at)
    if (!read) return
    fetched.set(partition, at + 1)
    deliver(partition, BigInt(at), read)
  }

  function readAt(partition: string, at: number): Read | null {
    if (partition === commitLog) {
      const entry = topics.log[at]
      return entry ? { kind: "entry", entry } : null
    }
    const record = topics.data.get(partition)?.[at]
    return record ? { kind: "record", record } : null
  }

  function deliver(partition: string, offset: bigint, read: Read): void {
    const found = reading.judge(partition, offset)
    if (found === "ahead") fetched.set(partition, Number(reading.expected(partition)))
    if (found !== "next") return
    reading.advance(partition)
    flow.take(read)
    highestBytes = Math.max(highestBytes, flow.state()?.pendingBytes ?? 0)
    act()
  }

  function act(): void {
    const changes = flow.takePauses()
    for (const partition of changes?.pause ?? []) paused.add(partition)
    for (const partition of changes?.resume ?? []) paused.delete(partition)
    if (changes && isCommitted && paused.size === 0) isAllResumed = true
  }

  function pump(): void {
    const work = flow.next()
    act()
    if (work && underWay) throw new Error("two pieces of work are under way")
    underWay ??= work
  }

  /** Complete transactions are taken out of the assembler while others are on their way to Postgres. */
  function prepare(): void {
    const before = flow.state()?.pendingBytes ?? 0
    flow.prepare()
    if ((flow.state()?.pendingBytes ?? 0) < before) prepared++
  }

  /** The work under way is stored, whole. */
  function commit(): void {
    const work = underWay
    if (!work) return
    underWay = null
    if (work.kind === "stage") {
      if (work.isFirst) stagedTable = new Map()
      flow.staged(work, store(work.records))
      return
    }
    isCommitted = false
    const { step } = work
    if (step.expected !== stored.position) throw new Error("the step does not go on where Postgres is")
    const last = transactionsOf(work).at(-1)
    if (!last) throw new Error("a step without a transaction")
    if (work.kind === "apply") applied.push(...work.step.transactions)
    else applied.push({ ...work.step.transaction, records: takeStaged(work.step.rows) })
    stored = {
      ...stored,
      position: last.commitLsn,
      lastEnd: last.commitLsn,
      lastEndOffset: last.endOffset,
      resumeOffsets: new Map([...stored.resumeOffsets, ...step.resumeOffsets]),
    }
    flow.applied(work, { parked: undefined })
  }

  function store(records: readonly DataRecord[]): Map<string, number> {
    const added = new Map<string, number>()
    for (const record of records) {
      if (stagedTable.has(record.identity)) continue
      stagedTable.set(record.identity, record)
      added.set(record.change.table, (added.get(record.change.table) ?? 0) + 1)
    }
    return added
  }

  function takeStaged(rows: number): DataRecord[] {
    const records = [...stagedTable.values()]
    if (records.length !== rows) throw new Error("not the rows that were staged")
    stagedTable = new Map()
    staged++
    return sortAsMade(records)
  }

  /** The apply in flight is lost or was stored, never half. */
  function restart(): void {
    if (choices.pick(2) === 1) commit()
    join()
  }

  /** Connect answers how far the connector has committed, and Kafka where the topics end now. */
  function askCommitted(): void {
    const commitLsn = flow.askCommitted()
    if (commitLsn === null) return
    const committed = connector.committedLsn()
    const isAnswered = !isConnectDown && committed >= commitLsn
    const data = new Map([...topics.data].map(([name, records]) => [name, BigInt(records.length)]))
    const ends = { data, commitLog: new Map([[commitLog, BigInt(topics.log.length)]]) }
    flow.answerCommitted(commitLsn, isAnswered ? { commitLsn: toLsn(committed), ends } : null)
    isCommitted = isAnswered
    pump()
  }

  function progress(): string {
    return [
      applied.length,
      ...fetched.values(),
      ...reading.next().values(),
      ...paused,
      underWay?.kind,
      stagedTable.size,
      flow.state()?.pendingBytes,
    ].join()
  }
}
