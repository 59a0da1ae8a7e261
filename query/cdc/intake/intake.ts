// Steps 1 and 2 of the flow: reads the data topics and the commit log and hands over decoded records, each
// partition in its order and without a gap. On every (re)join of a consumer it asks where to begin and seeks there;
// the client may still deliver an older batch after that (skipped) or jump ahead (read again), so the expected
// offset of each partition is kept here.
import { createDecoder } from "../decode/decode.ts"
import type { FetchSchema } from "../decode/schema-registry.ts"
import type { KafkaAccess, TopicReader } from "../kafka/kafka.ts"
import type { SourceTable } from "../projection/projection.ts"
import {
  type CommitLogEntry,
  type DataRecord,
  type EndOffsets,
  type ParkedChange,
  partitionKey,
  type RawRecord,
  splitPartitionKey,
} from "../vocabulary/change.ts"
import { classifyError, EngineError, kafkaFault } from "../vocabulary/errors.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import { repeat } from "../vocabulary/pacing.ts"
import { commitLogTopic, dataTopic } from "../vocabulary/topics.ts"
import { createPauses, type Pauses } from "./pauses.ts"
import { assertIsLastEnd, assertKept, assertSameTopic, findLogStart } from "./topic-range.ts"

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

export type Intake = Pauses & {
  start: () => Promise<void>
  stop: () => Promise<void>
  /** Next offset to read, by `topic/partition`; empty while it joins. */
  next: () => ReadonlyMap<string, bigint>
  /** Where the topics end now. */
  endOffsets: () => Promise<EndOffsets>
}

const watchMs = 2_000

type Session = { next: Map<string, bigint>; expectedEnd: IntakeStart | null }
type ReaderName = "data" | "log"

export function createIntake(deps: IntakeDeps): Intake {
  const { topicPrefix } = deps
  const tablesByTopic = new Map(deps.tables.map((table) => [dataTopic(topicPrefix, table.name), table]))
  const dataTopics = [...tablesByTopic.keys()]
  const logTopic = commitLogTopic(topicPrefix)
  const decoder = createDecoder(deps.fetchSchema)
  const joined: Record<ReaderName, boolean> = { data: false, log: false }
  let session: Session | null = null
  let resets: Promise<void> = Promise.resolve()
  let resetCount = 0
  let stopped = false
  const stopping = new AbortController()

  const readers: Record<ReaderName, TopicReader> = {
    data: openReader("data", dataTopics, takeData),
    log: openReader("log", [logTopic], takeEntry),
  }
  const pauses = createPauses(readers, logTopic)

  return {
    async start() {
      await Promise.all([readers.data.start(), readers.log.start()])
      void repeat(watchMs, stopping.signal, watchTopics)
    },
    async stop() {
      stopped = true
      session = null
      stopping.abort()
      await Promise.allSettled([readers.data.stop(), readers.log.stop()])
    },
    next: () => session?.next ?? new Map(),
    async endOffsets() {
      const [data, commitLog] = await Promise.all([endsOf(dataTopics), endsOf([logTopic])])
      return { data, commitLog }
    },
    ...pauses,
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
      onCrash: (cause) => deps.fail(kafkaFault(`Reading from Kafka failed: ${cause.message}.`, cause)),
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
    const ranges = await deps.kafka.offsetRanges([...dataTopics, logTopic])
    const next = new Map<string, bigint>()
    let expectedEnd: IntakeStart | null = null
    for (const [partition, range] of ranges) {
      const isLog = partition === partitionKey(logTopic, 0)
      let offset = start.resumeOffsets.get(partition) ?? 0n
      if (isLog) {
        offset = findLogStart(start.lastEndOffset, range)
        if (offset === start.lastEndOffset) expectedEnd = start
      }
      assertKept(partition, offset, range)
      assertSameTopic(partition, isLog && expectedEnd ? offset + 1n : offset, range)
      next.set(partition, offset)
    }
    if (stopped || mine !== resetCount) return
    session = { next, expectedEnd }
    pauses.resumeAll()
    for (const [partition, offset] of next) seek(partition, offset)
  }

  function seek(partition: string, offset: bigint): void {
    const [topic, number] = splitPartitionKey(partition)
    const reader = topic === logTopic ? readers.log : readers.data
    reader.seek(topic, number, offset)
  }

  /** `take` decodes and returns how to hand the record over, so that nothing reaches a later session. */
  async function takeRecords(
    records: readonly RawRecord[],
    take: (current: Session, raw: RawRecord) => Promise<(() => void) | null>,
  ): Promise<void> {
    const current = session
    if (!current) return
    let areOlder = false
    for (const raw of records) {
      const partition = partitionKey(raw.topic, raw.partition)
      const expected = current.next.get(partition) ?? 0n
      if (raw.offset < expected) {
        areOlder = true
        continue
      }
      if (raw.offset > expected) {
        await assertTopicsAreWhole()
        if (current === session) seek(partition, expected)
        return
      }
      const hand = await take(current, raw)
      if (current !== session) return
      current.next.set(partition, raw.offset + 1n)
      hand?.()
    }
    if (areOlder) await assertTopicsAreWhole()
    deps.taken()
  }

  /**
   * What is to be read next may be taken away meanwhile, by retention or with its topic; the client then goes on at
   * another place, or stands still, without a word.
   */
  async function assertTopicsAreWhole(): Promise<void> {
    const current = session
    if (!current) return
    const before = new Map(current.next)
    const ranges = await deps.kafka.offsetRanges([...dataTopics, logTopic])
    if (current !== session) return
    for (const [partition, range] of ranges) {
      // Reading has gone on: it may be beyond the end that was told, but must have been within it before.
      assertSameTopic(partition, before.get(partition) ?? 0n, range)
      assertKept(partition, current.next.get(partition) ?? 0n, range)
    }
  }

  async function watchTopics(): Promise<void> {
    await assertTopicsAreWhole().catch((error: unknown) => {
      // Kafka being away shows where records are read.
      if (classifyError(error).disposition === "halt") deps.fail(error)
    })
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
