// SCENARIOS row 2, and what else becomes of projectors: killed, stopped beyond their lease in the middle of an apply or
// of a base load, continued, told to end. A standby takes over, whoever was stopped writes nothing when it goes on, and
// an instance that only answers queries answers all of them. Every write of the progress is audited in the database.
// One file: the last test plays all the others' faults at random, with the same three projectors.
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { createDatabase } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { readRequest, requestRebuild } from "../../query/cdc/lease/requests.ts"
import { kept, startTrial, type Trial } from "../chaos/given/trial.ts"
import { chooseSeed, createRandom } from "../support/random.ts"
import { createServiceProcess, type ServiceProcess } from "../support/service-process.ts"
import { givenSystem } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"
import { auditWrites, findForeignWrites, type Lease, readLease } from "./given/projector-writes.ts"

/** Long enough to tell on a busy machine whether a successor has waited for it. */
const leaseSeconds = 6
const system = givenSystem("standby", {
  queryEnvironment: () => ({ LEASE_SECONDS: String(leaseSeconds) }),
})
let projectors: ServiceProcess[]
let http: ServiceProcess

beforeAll(async () => {
  const standby = () => createServiceProcess("query", system.queryEnvironment)
  projectors = [system.query, standby(), standby()]
  http = createServiceProcess("query", { ...system.queryEnvironment, ROLE: "http" })
  await Promise.all([...projectors.slice(1), http].map((one) => one.start()))
  await auditWrites(system.reads)
})

afterAll(async () => {
  for (const one of projectors ?? []) one.signal("SIGCONT")
  await Promise.all([...(projectors ?? []).slice(1), http].map((one) => one?.kill()))
})

/** Load, and readers at the instance that only answers: none of their reads may fail. */
async function startLoad(): Promise<{ trial: Trial; conclude: () => Promise<void> }> {
  const trial = await startTrial({ ...system, query: http }, { customers: 2, writers: 1 })
  const refused: unknown[] = []
  let answered = 0
  let reading = true
  const readers = (async () => {
    while (reading) {
      const response = await fetch(`${http.url()}/orders?limit=1`).catch((error: unknown) => ({
        status: error,
      }))
      if (response instanceof Response) await response.body?.cancel()
      // Fifty reads a second.
      await sleep(20)
      if (response.status === 200) answered++
      else refused.push(response.status)
    }
  })()
  onTestFinished(() => {
    reading = false
  })
  return {
    trial,
    async conclude() {
      expect(await trial.conclude()).toEqual(kept)
      reading = false
      await readers
      expect(refused, "reads that got no answer").toEqual([])
      expect(answered).toBeGreaterThan(10)
      expect(await findForeignWrites(system.reads), "writes without the lease").toEqual([])
    },
  }
}

const lease = (): Promise<Lease> => readLease(system.reads)

/** The process that holds the lease; its log says so. */
async function holding(): Promise<ServiceProcess> {
  const { epoch } = await lease()
  const found = projectors.find(({ logs }) => logs.some((line) => line.leaseEpoch === String(epoch)))
  if (!found) throw new Error(`nobody says that it took lease ${epoch}`)
  return found
}

/** Waits until somebody else than before holds the lease and has applied. @returns milliseconds since `startedAt`. */
async function succeeded(before: Lease, startedAt: number): Promise<{ takenMs: number; appliedMs: number }> {
  await waitFor(async () => (await lease()).holder !== before.holder, "a standby holds the lease", 30_000)
  const takenMs = Math.round(performance.now() - startedAt)
  await applies((await lease()).epoch)
  return { takenMs, appliedMs: Math.round(performance.now() - startedAt) }
}

/** Waits until something more has been applied under this lease epoch or a later one. */
async function applies(since = 0n): Promise<void> {
  const read = async () => {
    const { rows } = await system.reads.query<{ position: bigint; lease_epoch: bigint }>(
      `select p.position, p.lease_epoch from cdc.progress p
       join cdc.sources s on s.source = p.source and s.live_generation = p.generation`,
    )
    return rows[0] ?? { position: 0n, lease_epoch: 0n }
  }
  const before = await read()
  await waitFor(
    async () => {
      const now = await read()
      return now.position > before.position && now.lease_epoch >= since
    },
    "something is applied",
    30_000,
  ).catch((cause: unknown) => {
    const logged = projectors.flatMap(({ logs }) => logs.slice(-10)).map((line) => JSON.stringify(line))
    throw new Error(["nothing is applied", ...logged].join("\n"), { cause })
  })
}

/** Waits until a process that was continued has noticed that it is a standby. */
async function standsBy(process: ServiceProcess, since: number): Promise<void> {
  await waitFor(
    () => process.logs.slice(since).some(({ msg }) => msg === "the projector starts over"),
    "the former holder has noticed",
    30_000,
  )
  const response = await fetch(`${process.url()}/status`)
  expect(await response.json()).toMatchObject({ sources: [{ lease: { held_here: false } }] })
}

const sessionsOf = async (holder: string, more = ""): Promise<number> => {
  const { rows } = await system.reads.query<{ sessions: number }>(
    `select count(*)::int as sessions from pg_stat_activity where application_name = $1 ${more}`,
    [`projector ${holder}`],
  )
  return rows[0]?.sessions ?? 0
}

test("a killed holder is succeeded within seconds, long before its lease is over", async () => {
  const { conclude } = await startLoad()
  await applies()
  const before = await lease()
  const holder = await holding()
  const killedAt = performance.now()
  await holder.kill()
  const { takenMs, appliedMs } = await succeeded(before, killedAt)
  console.log(`killed: succeeded after ${takenMs} ms, applied after ${appliedMs} ms`)
  expect((await lease()).epoch).toBe(before.epoch + 1n)
  expect(takenMs, "without waiting for the lease").toBeLessThan((leaseSeconds - 1) * 1_000)
  await holder.start()
  await conclude()
})

test("a holder stopped inside an apply is succeeded when its lease is over, and writes nothing when it goes on", async () => {
  const { conclude } = await startLoad()
  const before = await lease()
  const holder = await holding()
  const schema = await system.liveSchema()
  const locking = await system.reads.connect()
  await locking.query(`begin; lock table ${schema}.orders in share row exclusive mode`)
  await waitFor(
    async () => (await sessionsOf(before.holder, "and wait_event_type = 'Lock'")) > 0,
    "an apply waits inside its transaction",
  )
  const stoppedAt = performance.now()
  holder.signal("SIGSTOP")
  await locking.query("rollback")
  locking.release()
  await waitFor(
    async () => (await sessionsOf(before.holder, "and state = 'idle in transaction'")) > 0,
    "its transaction is open, and nobody works on it",
  )
  const { takenMs, appliedMs } = await succeeded(before, stoppedAt)
  console.log(
    `stopped, with a lease of ${leaseSeconds} s: succeeded after ${takenMs} ms, applied after ${appliedMs} ms`,
  )
  expect(await sessionsOf(before.holder), "its connections are ended").toBe(0)
  const after = await lease()
  expect(after.epoch).toBe(before.epoch + 1n)

  const logged = holder.logs.length
  holder.signal("SIGCONT")
  await standsBy(holder, logged)
  await applies()
  expect(await lease()).toEqual(after)
  await conclude()
}, 120_000)

test("a holder stopped inside a base load neither ends nor disturbs the one of its successor", async () => {
  await system.source.query(
    `insert into products (id, name, price_minor, currency)
     select 'bulk-' || n, repeat('x', 300), 100, 'USD' from generate_series(1, 30000) n`,
  )
  const before = await lease()
  const holder = await holding()
  const db = createDatabase<QueryDatabase>(system.reads)
  const { id } = await requestRebuild(db, system.connectorName, "test")
  await waitFor(async () => (await loading()) !== null, "a generation is loading", 30_000)
  holder.signal("SIGSTOP")
  const abandoned = await loading()
  await succeeded(before, performance.now())
  await waitFor(
    async () => (await readRequest(db, id))?.state === "done",
    "the successor has rebuilt",
    30_000,
  )
  const schema = await system.liveSchema()
  expect(schema).not.toBe(abandoned)

  const { conclude } = await startLoad()
  const logged = holder.logs.length
  holder.signal("SIGCONT")
  await standsBy(holder, logged)
  await applies()
  expect(await readRequest(db, id)).toMatchObject({ state: "done", error: null })
  expect(await system.liveSchema()).toBe(schema)
  const { rows } = await system.reads.query("select nspname from pg_namespace where nspname like 'read%'")
  expect(rows).toEqual([{ nspname: schema }])
  const { rows: status } = await system.reads.query<{ holder: string; state: string }>(
    "select holder, state from cdc.projector_status",
  )
  expect(status).toMatchObject([
    { holder: (await lease()).holder, state: expect.not.stringMatching("halted") },
  ])
  await conclude()
}, 120_000)

test("told to end, the holder lets go, is succeeded at once and answers who waits", async () => {
  const { conclude } = await startLoad()
  await applies()
  const before = await lease()
  const holder = await holding()
  const token = `v1:${system.connectorName}:${await history()}:1:${1n << 62n}`
  const askedAt = new Date()
  const waiting = fetch(`${holder.url()}/orders`, {
    headers: { "Consistency-Token": token, Prefer: "wait=30" },
  })
  await waitFor(() => isWaitedFor(askedAt), "the holder lets the read wait")
  const toldAt = performance.now()
  const ended = holder.stop()
  const answer = await waiting
  expect(answer.status, "refused as not current, not cut").toBe(503)
  await answer.body?.cancel()
  const { takenMs, appliedMs } = await succeeded(before, toldAt)
  expect(await ended).toBe(0)
  console.log(`told to end: succeeded after ${takenMs} ms, applied after ${appliedMs} ms`)
  expect(takenMs, "without waiting for the lease").toBeLessThan((leaseSeconds - 1) * 1_000)
  await holder.start()
  await conclude()
})

test("whatever happens to three of them in whatever order, one projects and none writes without the lease", async () => {
  const seed = chooseSeed()
  console.log(`SEED=${seed} (of the faults)`)
  const random = createRandom(seed)
  const { conclude } = await startLoad()
  const stopped = new Set<ServiceProcess>()
  for (let round = 0; round < 4; round++) {
    const victim = random.chance(0.7) ? await holding() : random.pick(projectors)
    const others = projectors.filter((one) => one !== victim)
    // One must be left to take over.
    if (others.every((one) => stopped.has(one))) for (const one of others) await goOn(one)
    if (random.chance(0.4)) {
      stopped.delete(victim)
      await victim.kill()
      // Away, here and below, for a while that a successor may or may not need.
      await sleep(random.below(500))
      await victim.start()
    } else {
      victim.signal("SIGSTOP")
      stopped.add(victim)
      await sleep(random.below(1.5 * leaseSeconds * 1_000))
      if (random.chance(0.7)) await goOn(victim)
    }
  }
  for (const one of projectors) await goOn(one)
  await applies()
  await conclude()

  async function goOn(one: ServiceProcess): Promise<void> {
    stopped.delete(one)
    one.signal("SIGCONT")
  }
}, 120_000)

async function loading(): Promise<string | null> {
  const { rows } = await system.reads.query<{ schema_name: string }>(
    "select schema_name from cdc.generations where state = 'loading'",
  )
  return rows[0]?.schema_name ?? null
}

/** Whether an instance has looked for a position since then, which it does only for a read that waits. */
async function isWaitedFor(since: Date): Promise<boolean> {
  const { rows } = await system.reads.query(
    `select from pg_stat_activity where application_name = 'lockstep-reader'
     and query like 'select concat(s.live_generation%' and query_start > $1`,
    [since],
  )
  return rows.length > 0
}

/** The source's identity as tokens have it. */
async function history(): Promise<string> {
  const { rows } = await system.reads.query<{ history: string }>(
    "select system_identifier || '-' || timeline as history from cdc.sources",
  )
  return rows[0]?.history ?? ""
}
