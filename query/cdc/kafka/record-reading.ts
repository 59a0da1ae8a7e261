// Part of step 1: reads single records of the topics, apart from the flow: the end of a log, and records that were read
// before and are wanted again as they came. Each reading joins a group of its own and leaves when it has what it wants.
import { randomUUID } from "node:crypto"
import { type Origin, originText, partitionKey, type RawRecord } from "../vocabulary/change.ts"
import { EngineError, kafkaFault } from "../vocabulary/errors.ts"
import type { OffsetRange } from "./client.ts"
import type { TopicReader, TopicReaderOptions } from "./topic-reader.ts"

/** Reading some records may take this long. */
const limitMs = 30_000

export function createRecordReading(access: {
  openReader: (options: TopicReaderOptions) => TopicReader
  offsetRanges: (topics: readonly string[]) => Promise<Map<string, OffsetRange>>
  clientId: string
}) {
  return { readTail, readRecords }

  /** The last `count` records of a one-partition topic, oldest first. */
  async function readTail(topic: string, count: number): Promise<RawRecord[]> {
    const range = (await access.offsetRanges([topic])).get(partitionKey(topic, 0))
    if (!range || range.high === range.low) return []
    const from = range.high - BigInt(count) > range.low ? range.high - BigInt(count) : range.low
    const offsets = Array.from({ length: Number(range.high - from) }, (_, index) => from + BigInt(index))
    return await readRecords(offsets.map((offset) => ({ topic, partition: 0, offset })))
  }

  /** Reads single records again, in the order asked for. They must be in the topics still. */
  async function readRecords(origins: readonly Origin[]): Promise<RawRecord[]> {
    const found = new Map<string, RawRecord>()
    for (const topic of new Set(origins.map((origin) => origin.topic))) {
      const wanted = new Map<number, bigint[]>()
      for (const { partition, offset } of origins.filter((origin) => origin.topic === topic)) {
        wanted.set(partition, [...(wanted.get(partition) ?? []), offset])
      }
      for (const [partition, offsets] of wanted) {
        for (const raw of await readPartition(topic, partition, offsets)) found.set(originText(raw), raw)
      }
    }
    return origins.map((origin) => {
      const raw = found.get(originText(origin))
      if (raw) return raw
      throw new EngineError("dependency-down", `Record ${originText(origin)} could not be read again.`)
    })
  }

  async function readPartition(
    topic: string,
    partition: number,
    offsets: readonly bigint[],
  ): Promise<RawRecord[]> {
    const wanted = new Set(offsets)
    const first = offsets.reduce((a, b) => (a < b ? a : b))
    const last = offsets.reduce((a, b) => (a > b ? a : b))
    const found: RawRecord[] = []
    const { promise, resolve, reject } = withResolvers()
    const reader = access.openReader({
      groupId: `${access.clientId}-${topic}-${partition}-${randomUUID()}`,
      topics: [topic],
      onJoin: () => reader.seek(topic, partition, first),
      onCrash: reject,
      async onRecords(records) {
        for (const record of records) {
          if (record.partition !== partition) return reader.pause(topic, record.partition)
          if (wanted.delete(record.offset)) found.push(record)
          if (record.offset >= last) resolve()
        }
      },
    })
    const late = setTimeout(() => reject(new Error("no answer in time")), limitMs)
    try {
      await reader.start()
      await promise
    } catch (cause) {
      throw kafkaFault(`${topic}[${partition}] could not be read again.`, cause)
    } finally {
      clearTimeout(late)
      await reader.stop()
    }
    return found.sort((a, b) => (a.offset < b.offset ? -1 : 1))
  }
}

function withResolvers() {
  let resolve = (): void => {}
  let reject = (_error: Error): void => {}
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
