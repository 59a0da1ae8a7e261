// Notes offsets of the topics before a snapshot is taken: the end offset of every data partition, and an END of the
// commit log, which is the first link of the chain that the new generation follows. It is the END of a heartbeat,
// because a heartbeat names its history: the log may still end with transactions of another source.
import type { Decoder } from "../decode/decode.ts"
import type { KafkaAccess } from "../kafka/kafka.ts"
import { heartbeatTable, readHeartbeat, tablesRead } from "../projection/heartbeat.ts"
import type { Projections } from "../projection/projection.ts"
import type { CommitLogEntry, DataRecord } from "../vocabulary/change.ts"
import { classifyError } from "../vocabulary/errors.ts"
import { pause } from "../vocabulary/pacing.ts"
import { commitLogTopic, dataTopic } from "../vocabulary/topics.ts"
import type { StartOffsets } from "./base-load.ts"

/** Heartbeats come twice a second; this many records of the log reach back to a heartbeat under any load. */
const tailRecords = 4_000
const tailHeartbeats = 4
const pollMs = 250

/** Waits until the commit log holds the END of a heartbeat: capture must run before a base can be loaded. */
export async function noteStartOffsets(options: {
  kafka: KafkaAccess
  decoder: Decoder
  topicPrefix: string
  projections: Projections
  signal: AbortSignal
}): Promise<StartOffsets> {
  const { kafka, topicPrefix, projections, signal } = options
  const dataTopics = tablesRead(projections).map(({ name }) => dataTopic(topicPrefix, name))
  for (;;) {
    signal.throwIfAborted()
    const ranges = await kafka.offsetRanges(dataTopics)
    const heartbeats = await readHeartbeats(options)
    const ends = await readEnds(options)
    for (const record of heartbeats.toReversed()) {
      const identity = readHeartbeat(record, projections.heartbeatTable)
      const end = ends.find(({ xid, commitLsn }) => xid === record.xid && commitLsn > record.lsn)
      if (!identity || !end) continue
      return {
        identity,
        lastEnd: end.commitLsn,
        lastEndOffset: end.offset,
        endOffsets: new Map([...ranges].map(([partition, { high }]) => [partition, high])),
      }
    }
    await pause(pollMs, signal)
  }
}

type Options = Parameters<typeof noteStartOffsets>[0]
type End = Extract<CommitLogEntry, { status: "END" }>

async function readHeartbeats({ kafka, decoder, topicPrefix, projections }: Options): Promise<DataRecord[]> {
  const table = heartbeatTable(projections.heartbeatTable)
  const records: DataRecord[] = []
  for (const raw of await kafka.readTail(dataTopic(topicPrefix, table.name), tailHeartbeats)) {
    const record = await decoder.decodeData(raw, table).catch((error: unknown) => {
      if (classifyError(error).disposition === "dead-letter") return null
      throw error
    })
    if (record) records.push(record)
  }
  return records
}

/**
 * ENDs, the youngest first, so that a re-sent END is found at its last offset. All entries after a usable END must be
 * readable, so an END before an unreadable entry does not count: a rebuild is the way past such an entry.
 */
async function readEnds({ kafka, decoder, topicPrefix }: Options): Promise<End[]> {
  const ends: End[] = []
  for (const raw of await kafka.readTail(commitLogTopic(topicPrefix), tailRecords)) {
    const entry = await decoder.decodeEntry(raw).catch((error: unknown) => {
      if (classifyError(error).code !== "undecodable-commit-log") throw error
      ends.length = 0
      return null
    })
    if (entry?.status === "END") ends.push(entry)
  }
  return ends.toReversed()
}
