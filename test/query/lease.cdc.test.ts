// Two instances of the query service: one projects, the other stands by. A killed holder is succeeded at once; one
// that stands still is succeeded when its lease is over, and when it goes on it can write nothing (SCENARIOS row 2).
import { afterAll, beforeAll, expect, test } from "vitest"
import { kept, startTrial } from "../chaos/trial.ts"
import { createServiceProcess, type ServiceProcess } from "../support/service-process.ts"
import { createSystem, type System } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"

let system: System
let standby: ServiceProcess

beforeAll(async () => {
  system = await createSystem("lease")
  standby = createServiceProcess("query", system.queryEnvironment)
  await standby.start()
})

afterAll(async () => {
  await standby?.kill()
  await system?.drop()
})

test("a standby answers reads, applies nothing, and succeeds a killed holder within seconds", async () => {
  const trial = await startTrial(system, { customers: 2, writers: 1 })
  const before = await lease()
  expect((await fetch(`${standby.url()}/analytics/orders`)).status).toBe(200)
  await applies()
  expect(await lease(), "the standby leaves the lease alone").toEqual(before)

  const killedAt = performance.now()
  await system.query.kill()
  await waitFor(async () => (await lease()).holder !== before.holder, "the standby holds the lease")
  await applies()
  console.log(`succeeded and applied ${Math.round(performance.now() - killedAt)} ms after the kill`)
  expect((await lease()).epoch).toBe(before.epoch + 1n)
  await system.query.start()
  expect(await trial.conclude()).toEqual(kept)
})

test("a holder that stood still is succeeded when its lease is over, and writes nothing when it goes on", async () => {
  const trial = await startTrial(system, { customers: 2, writers: 1 })
  const before = await lease()
  const holder = await processHolding(before.holder)
  const stoppedAt = performance.now()
  holder.signal("SIGSTOP")
  await waitFor(async () => (await lease()).holder !== before.holder, "the other holds the lease", 30_000)
  await applies()
  console.log(`succeeded ${Math.round(performance.now() - stoppedAt)} ms after the holder stood still`)
  const after = await lease()
  expect(after.epoch).toBe(before.epoch + 1n)

  holder.signal("SIGCONT")
  await waitFor(() => holder.logs.some(isNewStart), "the former holder has noticed", 30_000)
  await applies()
  const { rows } = await system.reads.query<{ lease_epoch: bigint }>("select lease_epoch from cdc.progress")
  expect(rows, "every apply since is the new holder's").toEqual([{ lease_epoch: after.epoch }])
  expect(await lease()).toEqual(after)
  expect(await trial.conclude()).toEqual(kept)
}, 120_000)

/** The process that writes the log line of having taken this lease. */
async function processHolding(holder: string): Promise<ServiceProcess> {
  const { rows } = await system.reads.query<{ lease_epoch: bigint }>(
    "select lease_epoch from cdc.leases where holder = $1",
    [holder],
  )
  const epoch = String(rows[0]?.lease_epoch)
  const taken = standby.logs.findLastIndex((line) => line.leaseEpoch === epoch)
  return taken === -1 ? system.query : standby
}

const isNewStart = (line: { msg: string }): boolean => line.msg === "the projector starts over"

async function lease(): Promise<{ holder: string; epoch: bigint }> {
  const { rows } = await system.reads.query<{ holder: string; epoch: bigint }>(
    "select holder, lease_epoch as epoch from cdc.leases",
  )
  return rows[0] ?? { holder: "", epoch: 0n }
}

/** Waits until something more has been applied. */
async function applies(): Promise<void> {
  const position = async () => {
    const { rows } = await system.reads.query<{ position: bigint }>("select position from cdc.progress")
    return rows[0]?.position ?? 0n
  }
  const before = await position()
  await waitFor(async () => (await position()) > before, "something is applied").catch((cause: unknown) => {
    const logged = [...system.query.logs.slice(-12), ...standby.logs.slice(-12)].map((line) =>
      JSON.stringify(line),
    )
    throw new Error(["nothing is applied", ...logged].join("\n"), { cause })
  })
}
