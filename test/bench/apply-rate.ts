// How fast the projector applies a full topic: the stream is captured while the projector is stopped, and only when
// all of it is in Kafka does the projector start, on the generation that was loaded before. Measured from its first
// apply to the last, without its start; processor time of its process and its Postgres sessions over the same span.
import { setTimeout as pause } from "node:timers/promises"
import type pg from "pg"
import { createCommittedLsnFetcher } from "../../query/cdc/assemble/committed-lsn.ts"
import { createMirrorViews, findDifferences } from "../chaos/given/invariants.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { createSystem, type System } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"
import { processorTime } from "./process-time.ts"
import { type ArmResult, oneMinuteLoad } from "./result.ts"
import { median } from "./statistics.ts"
import { fillBase, installWorkload, writeStream } from "./workload.ts"

const sampleMs = 20
const limitMs = 180_000
const sessions = 4

type Sample = {
  ms: number
  changes: number
  position: bigint
  nodeMicroseconds: number
  databaseMicroseconds: number
}
type Round = {
  changes: number
  changesPerSecond: number
  nodeMicroseconds: number
  databaseMicroseconds: number
  samples: [ms: number, changes: number][]
}

/** @throws when the sides differ after a round. */
export const measureApplyRate = async (options: {
  quick: boolean
  nodeArguments: readonly string[]
}): Promise<ArmResult> => {
  const baseOrders = options.quick ? 2_000 : 10_000
  const transactions = options.quick ? 10_000 : 65_000
  // A long round says more than several short ones, and takes as long.
  const roundCount = options.quick ? 3 : 1
  const loads = [oneMinuteLoad()]
  const system = await createSystem("bench_apply", { nodeArguments: options.nodeArguments })
  try {
    await installWorkload(system.source)
    await createMirrorViews(system.source)
    await fillBase(system.source, baseOrders)
    await system.caughtUp(120_000)
    const rounds: Round[] = []
    for (let round = 0; round < roundCount; round++) {
      await system.query.stop()
      await writeStream(system.source, { transactions, sessions, seed: 1 + round * sessions })
      await captured(system)
      rounds.push(await drain(system))
      const differences = await findDifferences(system.source, system.reads, await system.liveSchema())
      if (differences.length > 0)
        throw new Error(`the sides differ: ${JSON.stringify(differences).slice(0, 2_000)}`)
      loads.push(oneMinuteLoad())
    }
    return describe(rounds, { baseOrders, transactions, sessions, rounds: roundCount }, loads)
  } finally {
    await system.drop()
  }
}

const describe = (rounds: readonly Round[], configuration: object, load: number[]): ArmResult => {
  const of = (pick: (round: Round) => number) => median(rounds.map(pick))
  const fewest = Math.min(...rounds.map(({ changes }) => changes))
  const note =
    rounds.length === 1 ? `${fewest} changes` : `median of ${rounds.length} rounds of ${fewest} or more`
  const measures = [
    { what: "apply rate from a full topic", value: of((r) => r.changesPerSecond), unit: "changes/s", note },
    {
      what: "projector's processor time",
      value: of((r) => r.nodeMicroseconds / r.changes),
      unit: "us/change",
      note: "Node process",
    },
    {
      what: "database's processor time",
      value: of((r) => r.databaseMicroseconds / r.changes),
      unit: "us/change",
      note: "the projector's Postgres sessions",
    },
  ]
  return {
    arm: "apply",
    configuration: { ...configuration, stack: readEndpoints().stack },
    // Without /proc there is no processor time.
    measures: measures.filter(({ value }) => Number.isFinite(value)),
    checked: "after each round every row of every mirrored table and derived model equals the source",
    load,
    samples: { rounds },
  }
}

/** Waits until the connector has stored an offset behind everything committed so far: it is all in the topics then. */
const captured = async (system: System): Promise<void> => {
  const end = await walEnd(system.source)
  const fetchCommittedLsn = createCommittedLsnFetcher(readEndpoints().connectUrl, system.connectorName)
  const reached = async () => ((await fetchCommittedLsn()) ?? 0n) >= end
  await waitFor(reached, "the connector has captured the stream", 180_000)
}

const walEnd = async (source: pg.Pool): Promise<bigint> => {
  const { rows } = await source.query<{ lsn: bigint }>(
    "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as lsn",
  )
  return rows[0]?.lsn ?? 0n
}

/** Starts the projector and watches it until it has applied all that is in the topics. */
const drain = async (system: System): Promise<Round> => {
  const end = await walEnd(system.source)
  const stopped = await take(system)
  await system.query.start()
  const samples: Sample[] = []
  // The sample before the first apply begins the span: what had been spent until then was the start.
  let last = await take(system)
  const deadline = performance.now() + limitMs
  while (last.position < end) {
    if (performance.now() > deadline) throw new Error(`only ${last.changes} changes after ${limitMs} ms`)
    const next = await take(system)
    if (next.changes > stopped.changes && samples.length === 0) samples.push(last)
    if (samples.length > 0) samples.push(next)
    last = next
    await pause(sampleMs)
  }
  const [first, done] = [samples[0] ?? last, samples.at(-1) ?? last]
  const changes = done.changes - first.changes
  return {
    changes,
    changesPerSecond: (changes * 1_000) / (done.ms - first.ms),
    nodeMicroseconds: done.nodeMicroseconds - first.nodeMicroseconds,
    databaseMicroseconds: done.databaseMicroseconds - first.databaseMicroseconds,
    samples: samples.map((sample) => [Math.round(sample.ms - first.ms), sample.changes - first.changes]),
  }
}

const take = async (system: System): Promise<Sample> => {
  const { rows } = await system.reads.query<{ changes: bigint; position: bigint; backends: number[] }>(
    `select p.changes, p.position,
       array(select pid from pg_stat_activity
             where datname = current_database() and application_name like 'projector %') as backends
     from cdc.progress p join cdc.sources s on s.source = p.source and s.live_generation = p.generation`,
  )
  const row = rows[0]
  const native = readEndpoints().stack === "native"
  const timeOf = (pid: number | undefined) =>
    (native && pid !== undefined ? processorTime(pid) : undefined) ?? Number.NaN
  return {
    ms: performance.now(),
    changes: Number(row?.changes ?? 0n),
    position: row?.position ?? 0n,
    nodeMicroseconds: timeOf(system.query.pid()),
    databaseMicroseconds: (row?.backends ?? []).reduce((sum, pid) => sum + timeOf(pid), 0),
  }
}
