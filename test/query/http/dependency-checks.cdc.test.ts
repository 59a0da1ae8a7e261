// What `/readyz` says of capture: Connect calls a connector running while its task has failed, so the task counts.
import { expect, test } from "vitest"
import { createConnectClient } from "../../../connectors/connect-client.ts"
import { readEndpoints } from "../../stack/endpoints.ts"
import { givenSystem } from "../../support/system.ts"
import { waitFor } from "../../support/wait.ts"

const connect = createConnectClient({ url: readEndpoints().connectUrl })
const system = givenSystem("dependencies")

test("readiness is green on a system at work", async () => {
  await waitFor(async () => (await readiness()).status === 200, "it is ready")
  expect((await readiness()).body.checks).toMatchObject({
    kafka: { state: "ok" },
    schema_registry: { state: "ok" },
    connect: { state: "ok" },
  })
})

test("a failed task turns it red with the task's own error and what to do", async () => {
  const settings = await connect.readSettings(system.connectorName)
  await connect.writeSettings(system.connectorName, { ...settings, "publication.name": "nowhere" })
  await waitFor(
    async () => (await readiness()).body.checks.connect?.state === "failed",
    "the check fails",
    30_000,
  )
  const { status, body } = await readiness()
  expect(status).toBe(503)
  expect(body.checks.connect?.reason).toContain("its task has failed")
  expect(body.checks.connect?.next_step).toContain("npx lockstep connector register")
})

test("a connector that is gone is named", async () => {
  await connect.remove(system.connectorName)
  await waitFor(
    async () => (await readiness()).body.checks.connect?.reason?.includes("not registered") ?? false,
    "the check says so",
  )
})

type Checks = Record<string, { state: string; reason?: string; next_step?: string } | undefined>

async function readiness(): Promise<{ status: number; body: { checks: Checks } }> {
  const response = await fetch(`${system.query.url()}/readyz`)
  const body: { checks: Checks } = JSON.parse(await response.text())
  return { status: response.status, body }
}
