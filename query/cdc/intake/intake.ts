// Steps 1 and 2 of the flow: reads the data topics and the commit log and hands over decoded records, each
// partition in its order and without a gap (reading.ts). On every (re)join of a consumer it asks where to begin and
// seeks there.
import { createDecoder } from "../decode/decode.ts"
import type { FetchSchema } from "../decode/schema-registry.ts"
import type { KafkaAccess } from "../kafka/kafka.ts"
import type { TopicReader } from "../kafka/topic-reader.ts"
import type { SourceTable } from "../projection/projection.ts"
import {
  type EndOffsets,
  partitionKey,
  type RawRecord,
  type Read,
  splitPartitionKey,
} from "../vocabulary/change.ts"
import { classifyError, EngineError, kafkaFault } from "../vocabulary/errors.ts"
import { repeat } from "../vocabulary/pacing.ts"
import { commitLogTopic, dataTopic } from "../vocabulary/topics.ts"
import type { PauseChanges } from "./pauses.ts"
import type { Reading } from "./reading.ts"
import { assertKept, assertSameTopic, findLogStart } from "./topic-range.ts"

export type IntakeStart = {
  /** Offset of the last END applied: the commit log is read from there, to see that it is the same log. */
  lastEndOffset: bigint
  /** Next offset to read of the data topics, by `topic/partition`; others begin at their first record. */
  resumeOffsets: ReadonlyMap<string, bigint>
}

/** Whoever takes what is read. */
export type Taker = {
  /** Asked after every join: forget all that was taken, and say where to begin. */
  begin: () => Promise<IntakeStart>
  take: (read: Read) => void
  /** A batch has been taken. */
  taken: () => void
  fail: (error: unknown) => void
}

export type Intake = {
  start: () => Promise<void>
  stop: () => Promise<void>
  /** Where the topics end now. */
  endOffsets: () => Promise<EndOffsets>
  /** Stops fetching partitions, and goes on with others. */
  pause: (changes: PauseChanges) => void
}

const watchMs = 2_000

type ReaderName = "data" | "log"

export function createIntake(
  access: { kafka: KafkaAccess; fetchSchema: FetchSchema; topicPrefix: string },
  stream: { tables: readonly SourceTable[]; groupId: string; reading: Reading },
  taker: Taker,
): Intake {
  const { kafka, topicPrefix } = access
  const { reading } = stream
  const tablesByTopic = new Map(stream.tables.map((table) => [dataTopic(topicPrefix, table.name), table]))
  const dataTopics = [...tablesByTopic.keys()]
  const logTopic = commitLogTopic(topicPrefix)
  const logPartition = partitionKey(logTopic, 0)
  const decoder = createDecoder(access.fetchSchema)
  const joined: Record<ReaderName, boolean> = { data: false, log: false }
  let resets: Promise<void> = Promise.resolve()
  /** A join makes the resets of all joins before it worthless. */
  let joinCount = 0
  let stopped = false
  const stopping = new AbortController()

  const readers: Record<ReaderName, TopicReader> = {
    data: openReader("data", dataTopics, readData),
    log: openReader("log", [logTopic], readEntry),
  }

  return {
    async start() {
      await Promise.all([readers.data.start(), readers.log.start()])
      void repeat(watchMs, stopping.signal, watchTopics)
    },
    async stop() {
      stopped = true
      reading.end()
      stopping.abort()
      await Promise.allSettled([readers.data.stop(), readers.log.stop()])
    },
    async endOffsets() {
      const [data, commitLog] = await Promise.all([endsOf(dataTopics), endsOf([logTopic])])
      return { data, commitLog }
    },
    pause({ pause, resume }) {
      for (const partition of pause) readerOf(partition).pause(...splitPartitionKey(partition))
      for (const partition of resume) readerOf(partition).resume(...splitPartitionKey(partition))
    },
  }

  function readerOf(partition: string): TopicReader {
    return partition === logPartition ? readers.log : readers.data
  }

  async function endsOf(topics: readonly string[]): Promise<Map<string, bigint>> {
    const ranges = await kafka.offsetRanges(topics)
    return new Map([...ranges].map(([partition, { high }]) => [partition, high]))
  }

  function openReader(
    name: ReaderName,
    topics: readonly string[],
    read: (raw: RawRecord) => Promise<Read | null>,
  ): TopicReader {
    return kafka.openReader({
      groupId: `${stream.groupId}-${name}`,
      topics,
      onCrash: (cause) => taker.fail(kafkaFault(`Reading from Kafka failed: ${cause.message}.`, cause)),
      onJoin: () => {
        joined[name] = true
        reading.end()
        const mine = ++joinCount
        resets = resets.then(() => reset(mine)).catch(taker.fail)
      },
      onRecords: (records) => takeRecords(records, read).catch(taker.fail),
    })
  }

  async function reset(mine: number): Promise<void> {
    if (stopped || !joined.data || !joined.log) return
    // A reset before this one may have opened a session: nothing of it may reach whatever begins now.
    reading.end()
    const start = await taker.begin()
    const ranges = await kafka.offsetRanges([...dataTopics, logTopic])
    const next = new Map<string, bigint>()
    for (const [partition, range] of ranges) {
      const isLog = partition === logPartition
      const offset = isLog
        ? findLogStart(start.lastEndOffset, range)
        : (start.resumeOffsets.get(partition) ?? 0n)
      assertKept(partition, offset, range)
      // The last END applied has been read before, so the log must hold it.
      assertSameTopic(partition, isLog && offset === start.lastEndOffset ? offset + 1n : offset, range)
      next.set(partition, offset)
    }
    if (stopped || mine !== joinCount) return
    reading.begin(next)
    for (const [partition, offset] of next) seek(partition, offset)
  }

  function seek(partition: string, offset: bigint): void {
    readerOf(partition).seek(...splitPartitionKey(partition), offset)
  }

  /** Decoding may take a while, so the session is looked at again before anything is handed over. */
  async function takeRecords(
    records: readonly RawRecord[],
    read: (raw: RawRecord) => Promise<Read | null>,
  ): Promise<void> {
    const session = reading.session()
    if (session === null) return
    let areOlder = false
    for (const raw of records) {
      const partition = partitionKey(raw.topic, raw.partition)
      const found = reading.judge(partition, raw.offset)
      if (found === "older") {
        areOlder = true
        continue
      }
      if (found === "ahead") {
        await assertTopicsAreWhole()
        if (session === reading.session()) seek(partition, reading.expected(partition))
        return
      }
      const taken = await read(raw)
      if (session !== reading.session()) return
      reading.advance(partition)
      if (taken) taker.take(taken)
    }
    if (areOlder) await assertTopicsAreWhole()
    taker.taken()
  }

  /**
   * What is to be read next may be taken away meanwhile, by retention or with its topic; the client then goes on at
   * another place, or stands still, without a word.
   */
  async function assertTopicsAreWhole(): Promise<void> {
    const session = reading.session()
    if (session === null) return
    const before = new Map(reading.next())
    const ranges = await kafka.offsetRanges([...dataTopics, logTopic])
    if (session !== reading.session()) return
    for (const [partition, range] of ranges) {
      // Reading has gone on: it may be beyond the end that was told, but must have been within it before.
      assertSameTopic(partition, before.get(partition) ?? 0n, range)
      assertKept(partition, reading.expected(partition), range)
    }
  }

  async function watchTopics(): Promise<void> {
    await assertTopicsAreWhole().catch((error: unknown) => {
      // Kafka being away shows where records are read.
      if (classifyError(error).disposition === "halt") taker.fail(error)
    })
  }

  async function readData(raw: RawRecord): Promise<Read | null> {
    const table = tablesByTopic.get(raw.topic)
    if (!table) return null
    try {
      const record = await decoder.decodeData(raw, table)
      return record && { kind: "record", record }
    } catch (error) {
      if (!(error instanceof EngineError) || error.disposition !== "dead-letter") throw error
      const key = await decoder.decodeKey(raw, table)
      return { kind: "unreadable", change: { raw, table: table.name, key, place: null, error } }
    }
  }

  async function readEntry(raw: RawRecord): Promise<Read> {
    return { kind: "entry", entry: await decoder.decodeEntry(raw) }
  }
}
