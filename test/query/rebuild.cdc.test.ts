// The rebuild against a running system: a fresh generation is loaded from a snapshot while readers are served from
// the one before, and the switch shows nobody a mixture, a gap or a step back. An interrupted load starts again.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { expect, test } from "vitest"
import { kept, startTrial } from "../chaos/given/trial.ts"
import { projectDirectory } from "../stack/layout.ts"
import { inheritedEnvironment } from "../stack/settings.ts"
import { givenSystem } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"

const system = givenSystem("rebuild")

test("a rebuild under load switches readers to a fresh generation without a lie or a failed read", async () => {
  const trial = await startTrial(system, { customers: 2, writers: 2 })
  const refused: number[] = []
  let reading = true
  const reader = (async () => {
    while (reading) {
      const response = await fetch(`${system.query.url()}/analytics/orders?period=monthly`)
      if (response.status !== 200) refused.push(response.status)
      await response.body?.cancel()
    }
  })()
  await waitFor(() => trial.customers.acknowledged.size > 10, "orders are placed")
  const { code, stdout, stderr } = await rebuild("--json")
  reading = false
  await reader

  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ state: "done", generation: 2 })
  expect(stderr).toContain("requested")
  expect(refused, "reads refused during the rebuild").toEqual([])
  expect(await trial.conclude()).toEqual(kept)
  expect(await system.liveSchema()).toBe("read_2")
  expect(await schemas()).toEqual(["read_2"])
})

test("a load that dies half-way starts again, and a second request joins the first", async () => {
  await system.source.query(
    `insert into products (id, name, price_minor, currency)
     select 'bulk-' || n, repeat('x', 200), 100, 'USD' from generate_series(1, 150000) n`,
  )
  const first = rebuild()
  await waitFor(async () => (await loading()) !== null, "a generation is loading", 30_000)
  await system.query.kill()
  const abandoned = await loading()
  const second = rebuild()
  await system.query.start()
  const outcomes = await Promise.all([first, second])

  expect(outcomes.map(({ code }) => code)).toEqual([0, 0])
  expect(outcomes[1]?.stderr).toContain("under way already")
  const { rows } = await system.reads.query(
    "select count(*)::int as requests from cdc.requests where state = 'done'",
  )
  expect(rows).toEqual([{ requests: 2 }])
  expect(abandoned).not.toBeNull()
  const trial = await startTrial(system, { customers: 1 })
  await waitFor(() => trial.customers.acknowledged.size > 5, "orders are placed")
  expect(await trial.conclude()).toEqual(kept)
  expect(await schemas()).toEqual([await system.liveSchema()])
})

test("a wrong option is wrong usage", async () => {
  const { code, stderr } = await rebuild("--nonsense")
  expect(code).toBe(2)
  expect(stderr).toContain("unknown option")
})

async function loading(): Promise<string | null> {
  const { rows } = await system.reads.query<{ schema_name: string }>(
    "select schema_name from cdc.generations where state = 'loading'",
  )
  return rows[0]?.schema_name ?? null
}

async function schemas(): Promise<string[]> {
  const { rows } = await system.reads.query<{ nspname: string }>(
    "select nspname from pg_namespace where nspname like 'read\\_%' order by 1",
  )
  return rows.map(({ nspname }) => nspname)
}

/** Runs the command as an operator would. */
async function rebuild(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const cli = spawn(process.execPath, ["query/lockstep.mjs", "projection", "rebuild", ...args], {
    cwd: projectDirectory,
    env: { ...inheritedEnvironment(), ...system.queryEnvironment },
  })
  const output = { stdout: "", stderr: "" }
  cli.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()))
  cli.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()))
  await once(cli, "close")
  return { code: cli.exitCode, ...output }
}
