// How the intake begins anew when consumers join again, with readers of topics in the test's hands.
import { setTimeout as sleep } from "node:timers/promises"
import { pino } from "pino"
import { expect, test } from "vitest"
import { createIntake } from "../../../../query/cdc/intake/intake.ts"
import { Reading } from "../../../../query/cdc/intake/reading.ts"
import { createKafkaAccess } from "../../../../query/cdc/kafka/kafka.ts"
import type { TopicReader, TopicReaderOptions } from "../../../../query/cdc/kafka/topic-reader.ts"
import type { RawRecord } from "../../../../query/cdc/vocabulary/change.ts"
import { waitFor } from "../../../support/wait.ts"

const data = "p.public.t"
const log = "p.transaction"
const range = { low: 0n, high: 1_000n }

/** A tombstone: it is read and passed over, whatever the schema. */
const record = (offset: bigint): RawRecord => ({
  topic: data,
  partition: 0,
  offset,
  key: null,
  value: null,
  headers: {},
})

async function startIntake() {
  const readers: TopicReaderOptions[] = []
  const seeks: string[] = []
  const sessionsAtBegin: (number | null)[] = []
  const gate = { rangesMs: 0 }
  const reading = new Reading()
  const reader: TopicReader = {
    start: async () => {},
    stop: async () => {},
    seek: (topic, partition, offset) => void seeks.push(`${topic}/${partition}@${offset}`),
    pause: () => {},
    resume: () => {},
  }
  const kafka = {
    ...createKafkaAccess({ brokers: ["127.0.0.1:1"], clientId: "test", log: pino({ level: "silent" }) }),
    openReader: (options: TopicReaderOptions) => {
      readers.push(options)
      return reader
    },
    offsetRanges: async () => {
      await sleep(gate.rangesMs)
      return new Map([
        [`${data}/0`, range],
        [`${log}/0`, range],
      ])
    },
  }
  const failures: unknown[] = []
  const intake = createIntake(
    { kafka, fetchSchema: async () => "", topicPrefix: "p" },
    { tables: [{ name: "t", key: [], columns: [] }], groupId: "g", reading },
    {
      begin: async () => {
        sessionsAtBegin.push(reading.session())
        return { lastEndOffset: 0n, resumeOffsets: new Map([[`${data}/0`, 7n]]) }
      },
      take: () => {},
      taken: () => {},
      fail: (error) => void failures.push(error),
    },
  )
  await intake.start()
  const [ofData, ofLog] = readers
  if (!ofData || !ofLog) throw new Error("no readers were opened")
  const joinBoth = async (): Promise<void> => {
    const before = reading.session()
    ofData.onJoin()
    ofLog.onJoin()
    await waitFor(() => reading.session() !== null && reading.session() !== before, "a session is open")
  }
  return { intake, reading, ofData, ofLog, seeks, sessionsAtBegin, gate, failures, joinBoth }
}

test("a session begins where it is told to, once both consumers have joined", async () => {
  const { intake, reading, ofData, seeks, failures } = await startIntake().then(async (started) => {
    await started.joinBoth()
    return started
  })
  expect(seeks.slice(-2).toSorted()).toEqual([`${data}/0@7`, `${log}/0@0`])
  await ofData.onRecords([record(5n), record(6n), record(7n), record(8n)])
  expect(reading.expected(`${data}/0`)).toBe(9n)
  expect(failures).toEqual([])
  await intake.stop()
})

test("a second join while the first is answered leaves no session open in which the next one could begin", async () => {
  const started = await startIntake()
  const { intake, reading, ofData, ofLog, sessionsAtBegin, gate } = started
  await started.joinBoth()
  gate.rangesMs = 30
  const begun = sessionsAtBegin.length
  ofData.onJoin()
  await waitFor(() => sessionsAtBegin.length > begun, "the first reset has asked where to begin")
  ofLog.onJoin()
  await waitFor(() => sessionsAtBegin.length > begun + 1, "the second reset has asked, too")
  // Records that come now belong to no session: they must not move what is expected next.
  await ofData.onRecords([record(7n)])
  await waitFor(() => reading.session() !== null, "a session is open")
  expect(reading.expected(`${data}/0`)).toBe(7n)
  expect(sessionsAtBegin.every((session) => session === null)).toBe(true)
  await intake.stop()
})
