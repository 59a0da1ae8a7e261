// How long a commit takes to become visible: the time between two commits, that of a transaction in the write side's
// database and that of the apply which made it visible in the read models, both as Postgres stamped them
// (track_commit_timestamp; both clusters must share a clock). 200 transactions a second from an open loop.
import type pg from "pg"
import { createMirrorViews, findDifferences } from "../chaos/given/invariants.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { createSystem } from "../support/system.ts"
import { runOpenLoop } from "./open-loop.ts"
import { type ArmResult, oneMinuteLoad } from "./result.ts"
import { percentile } from "./statistics.ts"
import { fillBase, installWorkload, writeOne } from "./workload.ts"

const perSecond = 200
const warmUpSeconds = 5
const baseOrders = 2_000
/** Below this the generator itself was the bottleneck, and the samples say nothing about the system. */
const leastShareOfRate = 0.97

/** @throws when the sides differ, a transaction is missing, or the load could not be offered. */
export const measureLatency = async (options: {
  quick: boolean
  nodeArguments: readonly string[]
}): Promise<ArmResult> => {
  const seconds = options.quick ? 5 : 20
  const loads = [oneMinuteLoad()]
  const system = await createSystem("bench_latency", { nodeArguments: options.nodeArguments })
  try {
    await requireCommitTimestamps(system.source, "command")
    await requireCommitTimestamps(system.reads, "query")
    await installWorkload(system.source)
    await fillBase(system.source, baseOrders)
    await system.caughtUp()
    await runOpenLoop({ perSecond, seconds: warmUpSeconds }, () => writeOne(system.source))
    const { rows } = await system.source.query<{ now: Date }>("select clock_timestamp() as now")
    const since = rows[0]?.now ?? new Date()
    const offered = await runOpenLoop({ perSecond, seconds }, () => writeOne(system.source))
    await system.caughtUp()
    const schema = await system.liveSchema()
    const committed = await commitTimes(system.source, "public.order_events", since)
    const visible = await commitTimes(system.reads, `${schema}.order_events`, since)
    const samples = [...committed].map(([id, at]) => (visible.get(id) ?? Number.NaN) - at)
    if (samples.length !== offered.begun || samples.some((ms) => !(ms > 0))) {
      throw new Error(`${offered.begun} transactions were written, ${samples.length} are to be measured`)
    }
    const rate = offered.begun / offered.seconds
    if (rate < leastShareOfRate * perSecond) {
      throw new Error(`the load could not be offered: ${rate.toFixed(0)} of ${perSecond} a second`)
    }
    await createMirrorViews(system.source)
    const differences = await findDifferences(system.source, system.reads, schema)
    if (differences.length > 0)
      throw new Error(`the sides differ: ${JSON.stringify(differences).slice(0, 2_000)}`)
    loads.push(oneMinuteLoad())
    const note = `${perSecond} tx/s for ${seconds} s, ${samples.length} samples`
    return {
      arm: "latency",
      configuration: { perSecond, seconds, warmUpSeconds, baseOrders, stack: readEndpoints().stack },
      measures: [
        { what: "commit -> visible, p50", value: percentile(samples, 0.5), unit: "ms", note },
        { what: "commit -> visible, p90", value: percentile(samples, 0.9), unit: "ms", note: "" },
        { what: "commit -> visible, p99", value: percentile(samples, 0.99), unit: "ms", note: "" },
        {
          what: "transactions per apply",
          value: samples.length / new Set(visible.values()).size,
          unit: "",
          note: `writers began up to ${Math.max(...offered.latenessMs).toFixed(0)} ms late`,
        },
      ],
      checked: "every row of every mirrored table and derived model equals the source",
      load: loads,
      samples: { commitToVisibleMs: samples.map((ms) => Math.round(ms * 1_000) / 1_000) },
    }
  } finally {
    await system.drop()
  }
}

const requireCommitTimestamps = async (pool: pg.Pool, side: string): Promise<void> => {
  const { rows } = await pool.query<{ track_commit_timestamp: string }>("show track_commit_timestamp")
  if (rows[0]?.track_commit_timestamp === "on") return
  throw new Error(
    `The ${side} database does not stamp commits: set track_commit_timestamp=on and restart it.`,
  )
}

/** Milliseconds since 1970 at which the transaction of each history row committed, by order and version. */
const commitTimes = async (pool: pg.Pool, table: string, since: Date): Promise<Map<string, number>> => {
  const { rows } = await pool.query<{ id: string; ms: number }>(
    `select order_id || '@' || version as id,
       (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float8 as ms
     from ${table} where occurred_at > $1`,
    [since],
  )
  return new Map(rows.map(({ id, ms }) => [id, ms]))
}
