// Follows the commit log for one generation under one lease: fetch -> decode -> assemble -> apply, until it is told
// to stop or something goes wrong. It keeps nothing that a restart would need: every start, and every rejoin of a
// consumer, reads progress and resume offsets from Postgres, empties the assembler and seeks.
import type { Logger } from "pino"
import { type ApplyTarget, applyTransactions } from "./apply.ts"
import { type Assembler, createAssembler, type Head, type Next, partitionKey } from "./assemble.ts"
import type { CommitLogEntry, DataRecord, Transaction } from "./change.ts"
import { createDecoder, type RawRecord, type SourceTable } from "./decode.ts"
import { EngineError, rebuildNextStep } from "./errors.ts"
import { findHeartbeat, heartbeatTable } from "./heartbeat.ts"
import type { KafkaAccess, OffsetRange, TopicReader } from "./kafka.ts"
import { formatLsn, type Lsn } from "./lsn.ts"
import { readProgress } from "./progress.ts"
import { createProof, type FetchCommittedLsn, type Proof } from "./proof.ts"
import type { FetchSchema } from "./schema-registry.ts"
import { type Source, sameHistory, sourceChanged } from "./source.ts"

export type FollowerDeps = {
  target: ApplyTarget
  source: Source
  topicPrefix: string
  kafka: KafkaAccess
  fetchSchema: FetchSchema
  fetchCommittedLsn: FetchCommittedLsn
  /** Group under which progress is shown to lag tools. */
  lagGroupId: string
  /** Unique per attempt: a fresh group does not wait for a dead member's session to expire. */
  groupId: string
  maxPendingBytes: number
  log: Logger
}

/** What the follower is doing, for the status; `waitingFor` is null while it is at the end of the log. */
export type FollowerState = {
  position: Lsn
  cacheEpoch: bigint | null
  heartbeatAt: Date | null
  waitingFor: string | null
  pendingBytes: number
  transactions: number
  changes: number
  disturbed: number
  staleRows: number
}

export type Follower = {
  start: () => Promise<void>
  /** Rejects with what ended the following; never resolves. */
  failed: Promise<never>
  state: () => FollowerState | null
  /** Resolves when the apply in flight is over and the consumers are closed. */
  stop: () => Promise<void>
}

/** Rows per Postgres transaction at which a batch is closed; nothing ever waits for a batch to fill. */
const batchRows = 2_000
/** How long an undisturbed transaction may miss rows before a proof is asked for. */
const patienceMs = 1_000
const tickMs = 50
const publishOffsetsMs = 5_000
/** Heartbeats come twice a second; this long without any means that capture has stopped. */
const silenceMs = 10_000

type Session = {
  assembler: Assembler
  position: Lsn
  next: Map<string, bigint>
  stored: Map<string, bigint>
  /** The END that the progress names: it must be the first record read from the commit log. */
  expectedEnd: { offset: bigint; commitLsn: Lsn } | null
  paused: Set<string>
}

export function createFollower(deps: FollowerDeps): Follower {
  const { target, log } = deps
  const { projections } = target
  const sourceTables: SourceTable[] = [...projections.tables, heartbeatTable(projections.heartbeatTable)]
  const tablesByTopic = new Map(
    sourceTables.map((table) => [`${deps.topicPrefix}.public.${table.name}`, table]),
  )
  const dataTopics = [...tablesByTopic.keys()]
  const commitLogTopic = `${deps.topicPrefix}.transaction`
  const decoder = createDecoder(deps.fetchSchema)

  let session: Session | null = null
  let resets: Promise<void> = Promise.resolve()
  let resetCount = 0
  let applying: Promise<void> | null = null
  let stopped = false
  let waiting: { head: Head | null; since: number; proof: Proof | null; asking: boolean } | null = null
  let lastHeard = Date.now()
  let timer: NodeJS.Timeout | null = null
  let publishing: NodeJS.Timeout | null = null
  const joined = { data: false, log: false }
  const totals = { transactions: 0, changes: 0, disturbed: 0, staleRows: 0 }
  let cacheEpoch: bigint | null = null
  let heartbeatAt: Date | null = null

  let reject = (_error: unknown): void => {}
  const failed = new Promise<never>((_, onReject) => {
    reject = onReject
  })
  /** Whatever went wrong, what is in memory may be ahead of Postgres: nothing more is taken or applied. */
  const fail = (error: unknown): void => {
    session = null
    reject(error)
  }
  // Whoever starts the follower also waits for `failed`; until then it must not count as unhandled.
  failed.catch(() => {})

  const readers: Record<"data" | "log", TopicReader> = {
    data: openReader("data", dataTopics, takeData),
    log: openReader("log", [commitLogTopic], takeEntry),
  }

  return {
    async start() {
      await Promise.all([readers.data.start(), readers.log.start()])
      timer = setInterval(tick, tickMs)
      publishing = setInterval(publishOffsets, publishOffsetsMs)
    },
    failed,
    state: () =>
      session && {
        position: session.position,
        cacheEpoch,
        heartbeatAt,
        waitingFor: describeWaiting(),
        pendingBytes: session.assembler.pendingBytes(),
        ...totals,
      },
    async stop() {
      stopped = true
      if (timer) clearInterval(timer)
      if (publishing) clearInterval(publishing)
      session = null
      await applying?.catch(() => {})
      await Promise.allSettled([readers.data.stop(), readers.log.stop()])
    },
  }

  function openReader(
    name: "data" | "log",
    topics: readonly string[],
    take: (current: Session, raw: RawRecord) => Promise<(() => void) | null>,
  ): TopicReader {
    return deps.kafka.openReader({
      groupId: `${deps.groupId}-${name}`,
      topics,
      onCrash: (error) =>
        fail(
          new EngineError("retry", "dependency-down", `Reading ${name} from Kafka failed: ${error.message}`, {
            cause: error,
          }),
        ),
      onJoin: () => {
        joined[name] = true
        session = null
        resets = resets.then(reset).catch(fail)
      },
      onRecords: (records) => takeRecords(records, take).catch(fail),
    })
  }

  /** Starts anew from what Postgres says. */
  async function reset(): Promise<void> {
    if (stopped || !joined.data || !joined.log) return
    const mine = ++resetCount
    await applying?.catch(() => {})
    const progress = await readProgress(target.db, target.ref)
    if (!progress)
      throw new EngineError("halt", "unexpected", `Generation ${target.ref.generation} has no progress.`)
    const ranges = await deps.kafka.offsetRanges([...dataTopics, commitLogTopic])
    const next = new Map<string, bigint>()
    for (const [partition, range] of ranges) {
      const isLog = partition === partitionKey(commitLogTopic, 0)
      const offset = isLog ? progress.lastEndOffset : (progress.resumeOffsets.get(partition) ?? 0n)
      assertReadable(partition, offset, range, isLog)
      next.set(partition, offset)
    }
    if (stopped || mine !== resetCount) return
    session = {
      assembler: createAssembler({
        lastEnd: progress.lastEnd,
        baseLsn: progress.baseLsn,
        tables: new Set(sourceTables.map((table) => `public.${table.name}`)),
      }),
      position: progress.position,
      next,
      stored: new Map(progress.resumeOffsets),
      expectedEnd: { offset: progress.lastEndOffset, commitLsn: progress.lastEnd },
      paused: new Set(),
    }
    waiting = null
    lastHeard = Date.now()
    for (const [partition, offset] of next) seek(partition, offset)
    log.info(
      {
        generation: target.ref.generation,
        position: formatLsn(progress.position),
        lastEnd: formatLsn(progress.lastEnd),
      },
      "following the commit log",
    )
  }

  function seek(partition: string, offset: bigint): void {
    const slash = partition.lastIndexOf("/")
    const topic = partition.slice(0, slash)
    const reader = topic === commitLogTopic ? readers.log : readers.data
    reader.seek(topic, Number(partition.slice(slash + 1)), offset)
  }

  /**
   * Keeps the order of each partition: the client may deliver an older batch after a seek (skipped) or jump ahead
   * (read again). `take` decodes and returns how to add the record, so that nothing is added to a later session.
   */
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
      const add = await take(current, raw)
      if (current !== session) return
      current.next.set(partition, raw.offset + 1n)
      add?.()
    }
    pump()
  }

  async function takeData(current: Session, raw: RawRecord): Promise<(() => void) | null> {
    const table = tablesByTopic.get(raw.topic)
    if (!table) return null
    const record = await decoder.decodeData(raw, table)
    if (!record) return null
    return () => {
      current.assembler.addRecord(record)
      pauseIfFull(current, record)
    }
  }

  async function takeEntry(current: Session, raw: RawRecord): Promise<(() => void) | null> {
    const entry = await decoder.decodeEntry(raw)
    const expected = current.expectedEnd
    if (expected) {
      current.expectedEnd = null
      assertIsLastEnd(entry, expected)
      return null
    }
    return () => {
      lastHeard = Date.now()
      current.assembler.addEntry(entry)
    }
  }

  /**
   * Bounds memory. Only a partition whose newest record belongs to a transaction after the head may pause: the
   * head's rows in it have been read, so waiting for the head cannot wait for this partition.
   */
  function pauseIfFull(current: Session, record: DataRecord): void {
    if (current.assembler.pendingBytes() < deps.maxPendingBytes) return
    if (!current.assembler.isBeyondHead(record)) return
    const partition = partitionKey(record.origin.topic, record.origin.partition)
    if (current.paused.has(partition)) return
    current.paused.add(partition)
    readers.data.pause(record.origin.topic, record.origin.partition)
  }

  function resumePaused(current: Session): void {
    if (current.paused.size === 0 || current.assembler.pendingBytes() > deps.maxPendingBytes / 2) return
    for (const partition of current.paused) {
      const slash = partition.lastIndexOf("/")
      readers.data.resume(partition.slice(0, slash), Number(partition.slice(slash + 1)))
    }
    current.paused.clear()
  }

  /** Takes as many transactions as are complete, applies them, and goes on until nothing is. */
  function pump(): void {
    const current = session
    if (!current || applying || stopped) return
    const released: Transaction[] = []
    try {
      for (let rows = 0; rows < batchRows; rows += released.at(-1)?.records.length ?? 0) {
        const next = current.assembler.next()
        noteWaiting(next)
        if (next.state !== "released") break
        released.push(next.transaction)
      }
      if (released.length === 0) return
      applying = apply(current, released)
        .catch(fail)
        .finally(() => {
          applying = null
          pump()
        })
    } catch (error) {
      fail(error)
    }
  }

  async function apply(current: Session, released: readonly Transaction[]): Promise<void> {
    const heartbeat = findHeartbeat(released, projections.heartbeatTable)
    if (heartbeat && !sameHistory(deps.source, heartbeat)) throw sourceChanged(deps.source, heartbeat)
    const resume = current.assembler.resumeOffsets(current.next)
    const moved = new Map(
      [...resume].filter(
        ([key, offset]) => key !== partitionKey(commitLogTopic, 0) && current.stored.get(key) !== offset,
      ),
    )
    const applied = await applyTransactions(target, {
      expected: current.position,
      transactions: released,
      resumeOffsets: moved,
      heartbeatAt: heartbeat?.beatAt ?? null,
    })
    for (const [partition, offset] of moved) current.stored.set(partition, offset)
    current.position = released.at(-1)?.commitLsn ?? current.position
    cacheEpoch = applied.cacheEpoch
    if (heartbeat) heartbeatAt = new Date(heartbeat.beatAt)
    totals.transactions += released.length
    totals.changes += applied.rows
    totals.staleRows += applied.stale
    target.cacheFence.announce({
      cacheEpoch,
      generation: target.ref.generation,
      position: current.position,
      heartbeatAt,
    })
    resumePaused(current)
    log.debug(
      { transactions: released.length, rows: applied.rows, position: formatLsn(current.position) },
      "applied",
    )
  }

  function noteWaiting(next: Next): void {
    if (next.state === "released" || next.state === "idle") {
      waiting = null
      return
    }
    const head = next.state === "waiting-for-rows" ? next.head : null
    if (waiting && waiting.head?.commitLsn === head?.commitLsn) {
      waiting.head = head
      return
    }
    if (head?.disturbed) {
      totals.disturbed++
      log.info(
        {
          code: "disturbed",
          xid: head.xid,
          commitLsn: formatLsn(head.commitLsn),
          expected: head.expected,
          received: head.received,
        },
        "a crash of the connector lies inside this transaction; asking for the proof that it is whole",
      )
    }
    waiting = { head, since: Date.now(), proof: null, asking: false }
  }

  function tick(): void {
    pump()
    const current = session
    const head = waiting?.head
    if (!current || !waiting || !head || waiting.asking) return
    if (!head.disturbed && Date.now() - waiting.since < patienceMs) return
    const mine = waiting
    mine.proof ??= createProof(head.commitLsn, deps.fetchCommittedLsn, async () => {
      const ranges = await deps.kafka.offsetRanges(dataTopics)
      return new Map([...ranges].map(([partition, { high }]) => [partition, high]))
    })
    mine.asking = true
    mine.proof
      .step(current.next)
      .then((proven) => {
        if (!proven || current !== session) return
        current.assembler.prove(head.commitLsn)
        pump()
      })
      // Connect may be down; the proof waits for it, and the status says so.
      .catch((error: unknown) => log.debug({ err: error }, "the proof has to wait"))
      .finally(() => {
        setTimeout(() => {
          mine.asking = false
        }, tickMs)
      })
  }

  /** For lag tools only: what the projector goes by is in Postgres. */
  function publishOffsets(): void {
    if (!session) return
    deps.kafka
      .publishOffsets(deps.lagGroupId, session.stored)
      .catch((error: unknown) => log.debug({ err: error }, "offsets could not be shown to lag tools"))
  }

  function describeWaiting(): string | null {
    const seconds = (since: number) => ((Date.now() - since) / 1000).toFixed(1)
    if (waiting?.head) {
      const { xid, commitLsn, received, expected, disturbed } = waiting.head
      if (!disturbed && Date.now() - waiting.since < patienceMs) return null
      const what = disturbed ? "the proof that it is whole" : `rows (${received} of ${expected} are here)`
      return `transaction ${xid} (${formatLsn(commitLsn)}) has waited ${seconds(waiting.since)} s for ${what}`
    }
    if (Date.now() - lastHeard > silenceMs) {
      return `the commit log has been silent for ${seconds(lastHeard)} s; is the connector running?`
    }
    return null
  }
}

function assertReadable(partition: string, offset: bigint, range: OffsetRange, mustExist: boolean): void {
  const detail = { partition, offset: String(offset), low: String(range.low), high: String(range.high) }
  if (offset < range.low) {
    throw new EngineError(
      "halt",
      "history-truncated",
      `${partition} begins at offset ${range.low}; ${offset} to ${range.low - 1n} were not applied yet and are gone.`,
      { nextStep: rebuildNextStep, detail },
    )
  }
  if (offset > range.high || (mustExist && offset >= range.high)) {
    throw new EngineError(
      "halt",
      "commit-log-mismatch",
      `${partition} ends at offset ${range.high}, before ${offset}: it is not the topic that was followed.`,
      { nextStep: rebuildNextStep, detail },
    )
  }
}

function assertIsLastEnd(entry: CommitLogEntry, expected: { offset: bigint; commitLsn: Lsn }): void {
  if (entry.offset === expected.offset && entry.status === "END" && entry.commitLsn === expected.commitLsn)
    return
  throw new EngineError(
    "halt",
    "commit-log-mismatch",
    `The commit log at offset ${expected.offset} is not the END of ${formatLsn(expected.commitLsn)}: it is not the log that was followed.`,
    {
      nextStep: rebuildNextStep,
      detail: { offset: String(expected.offset), lastEnd: formatLsn(expected.commitLsn) },
    },
  )
}
