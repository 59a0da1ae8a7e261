// Steps 1 and 2 of the flow: reads the data topics and the commit log and hands over decoded records, each
// partition in its order and without a gap. On every (re)join of a consumer it asks where to begin and seeks there;
// the client may still deliver an older batch after that (skipped) or jump ahead (read again), so the expected
// offset of each partition is kept here.
import type { CommitLogEntry, DataRecord } from "./change.ts"
import { partitionKey } from "./change.ts"
import type { ParkedChange } from "./dead-letters.ts"
import { createDecoder, type RawRecord } from "./decode.ts"
import { EngineError, rebuildNextStep } from "./errors.ts"
import { type KafkaAccess, type OffsetRange, splitPartitionKey, type TopicReader } from "./kafka.ts"
import { formatLsn, type Lsn } from "./lsn.ts"
import type { EndOffsets } from "./proof.ts"
import type { SourceTable } from "./row-image.ts"
import type { FetchSchema } from "./schema-registry.ts"

export type IntakeStart = {
  /** The commit log goes on after this END; the record at its offset must be it. */
  lastEnd: Lsn
  lastEndOffset: bigint
  /** Next offset to read of the data topics, by `topic/partition`; others begin at their first record. */
  resumeOffsets: ReadonlyMap<string, bigint>
}

export type IntakeDeps = {
  kafka: KafkaAccess
  fetchSchema: FetchSchema
  topicPrefix: string
  tables: readonly SourceTable[]
  groupId: string
  /** Asked after every join: forget all that was taken, and say where to begin. */
  begin: () => Promise<IntakeStart>
  takeRecord: (record: DataRecord) => void
  /** Takes a record that cannot be read. */
  takeUnreadable: (change: ParkedChange) => void
  takeEntry: (entry: CommitLogEntry) => void
  /** A batch has been taken. */
  taken: () => void
  fail: (error: unknown) => void
}

export type Intake = {
  start: () => Promise<void>
  stop: () => Promise<void>
  /** Next offset to read, by `topic/partition`; empty while it joins. */
  next: () => ReadonlyMap<string, bigint>
  /** Where the topics end now. */
  endOffsets: () => Promise<EndOffsets>
  /** Stops fetching the partition of this record until it is resumed. */
  pause: (record: DataRecord) => void
  /** Goes on fetching the paused partitions for which this holds. */
  resumeWhere: (holds: (partition: string) => boolean) => void
}

type Session = { next: Map<string, bigint>; expectedEnd: IntakeStart | null }
type ReaderName = "data" | "log"

export function createIntake(deps: IntakeDeps): Intake {
  const tablesByTopic = new Map(
    deps.tables.map((table) => [`${deps.topicPrefix}.public.${table.name}`, table]),
  )
  const dataTopics = [...tablesByTopic.keys()]
  const commitLogTopic = `${deps.topicPrefix}.transaction`
  const decoder = createDecoder(deps.fetchSchema)
  const joined: Record<ReaderName, boolean> = { data: false, log: false }
  /** The client keeps a partition paused over a rejoin, so this outlives the session. */
  const paused = new Set<string>()
  let session: Session | null = null
  let resets: Promise<void> = Promise.resolve()
  let resetCount = 0
  let stopped = false

  const readers: Record<ReaderName, TopicReader> = {
    data: openReader("data", dataTopics, takeData),
    log: openReader("log", [commitLogTopic], takeEntry),
  }

  return {
    async start() {
      await Promise.all([readers.data.start(), readers.log.start()])
    },
    async stop() {
      stopped = true
      session = null
      await Promise.allSettled([readers.data.stop(), readers.log.stop()])
    },
    next: () => session?.next ?? new Map(),
    async endOffsets() {
      const [data, commitLog] = await Promise.all([endsOf(dataTopics), endsOf([commitLogTopic])])
      return { data, commitLog }
    },
    pause({ origin: { topic, partition } }) {
      paused.add(partitionKey(topic, partition))
      readers.data.pause(topic, partition)
    },
    resumeWhere,
  }

  function resumeWhere(holds: (partition: string) => boolean): void {
    for (const partition of paused) {
      if (!holds(partition)) continue
      readers.data.resume(...splitPartitionKey(partition))
      paused.delete(partition)
    }
  }

  async function endsOf(topics: readonly string[]): Promise<Map<string, bigint>> {
    const ranges = await deps.kafka.offsetRanges(topics)
    return new Map([...ranges].map(([partition, { high }]) => [partition, high]))
  }

  function openReader(
    name: ReaderName,
    topics: readonly string[],
    take: (current: Session, raw: RawRecord) => Promise<(() => void) | null>,
  ): TopicReader {
    return deps.kafka.openReader({
      groupId: `${deps.groupId}-${name}`,
      topics,
      onCrash: (cause) =>
        deps.fail(
          new EngineError("dependency-down", `Reading from Kafka failed: ${cause.message}`, {
            cause,
          }),
        ),
      onJoin: () => {
        joined[name] = true
        session = null
        resets = resets.then(reset).catch(deps.fail)
      },
      onRecords: (records) => takeRecords(records, take).catch(deps.fail),
    })
  }

  async function reset(): Promise<void> {
    if (stopped || !joined.data || !joined.log) return
    const mine = ++resetCount
    const start = await deps.begin()
    const ranges = await deps.kafka.offsetRanges([...dataTopics, commitLogTopic])
    const next = new Map<string, bigint>()
    for (const [partition, range] of ranges) {
      const isLog = partition === partitionKey(commitLogTopic, 0)
      const offset = isLog ? start.lastEndOffset : (start.resumeOffsets.get(partition) ?? 0n)
      assertReadable(partition, offset, range, isLog)
      next.set(partition, offset)
    }
    if (stopped || mine !== resetCount) return
    session = { next, expectedEnd: start }
    resumeWhere(() => true)
    for (const [partition, offset] of next) seek(partition, offset)
  }

  function seek(partition: string, offset: bigint): void {
    const [topic, number] = splitPartitionKey(partition)
    const reader = topic === commitLogTopic ? readers.log : readers.data
    reader.seek(topic, number, offset)
  }

  /** `take` decodes and returns how to hand the record over, so that nothing reaches a later session. */
  async function takeRecords(
    records: readonly RawRecord[],
    take: (current: Session, raw: RawRecord) => Promise<(() => void) | null>,
  ): Promise<void> {
    const current = session
    if (!current) return
    for (const raw of records) {
      const partition = partitionKey(raw.topic, raw.partition)
      const expected = current.next.get(partition) ?? 0n
      if (raw.offset < expected) continue
      if (raw.offset > expected) {
        const range = (await deps.kafka.offsetRanges([raw.topic])).get(partition)
        if (current !== session) return
        if (range) assertReadable(partition, expected, range, false)
        seek(partition, expected)
        return
      }
      const hand = await take(current, raw)
      if (current !== session) return
      current.next.set(partition, raw.offset + 1n)
      hand?.()
    }
    deps.taken()
  }

  async function takeData(_current: Session, raw: RawRecord): Promise<(() => void) | null> {
    const table = tablesByTopic.get(raw.topic)
    if (!table) return null
    try {
      const record = await decoder.decodeData(raw, table)
      return record && (() => deps.takeRecord(record))
    } catch (error) {
      if (!(error instanceof EngineError) || error.disposition !== "dead-letter") throw error
      const key = await decoder.decodeKey(raw, table)
      return () => deps.takeUnreadable({ raw, table: table.name, key, place: null, error })
    }
  }

  async function takeEntry(current: Session, raw: RawRecord): Promise<(() => void) | null> {
    const entry = await decoder.decodeEntry(raw)
    const expected = current.expectedEnd
    if (!expected) return () => deps.takeEntry(entry)
    current.expectedEnd = null
    assertIsLastEnd(entry, expected)
    return null
  }
}

function assertReadable(partition: string, offset: bigint, range: OffsetRange, mustExist: boolean): void {
  const detail = { partition, offset: String(offset), low: String(range.low), high: String(range.high) }
  if (offset < range.low) {
    throw new EngineError(
      "history-truncated",
      `${partition} begins at offset ${range.low}; ${offset} to ${range.low - 1n} were not applied yet and are gone.`,
      { nextStep: rebuildNextStep, detail },
    )
  }
  if (offset > range.high || (mustExist && offset >= range.high)) {
    throw new EngineError(
      "commit-log-mismatch",
      `${partition} ends at offset ${range.high}, before ${offset}: it is not the topic that was followed.`,
      { nextStep: rebuildNextStep, detail },
    )
  }
}

function assertIsLastEnd(entry: CommitLogEntry, { lastEnd, lastEndOffset }: IntakeStart): void {
  if (entry.offset === lastEndOffset && entry.status === "END" && entry.commitLsn === lastEnd) return
  throw new EngineError(
    "commit-log-mismatch",
    `The commit log at offset ${lastEndOffset} is not the END of ${formatLsn(lastEnd)}: it is not the log that was followed.`,
    { nextStep: rebuildNextStep, detail: { offset: String(lastEndOffset), lastEnd: formatLsn(lastEnd) } },
  )
}
