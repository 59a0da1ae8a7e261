// The real command service on a free port over a database of its own with the demo catalogue.
import type { Kysely } from "kysely"
import type { Config } from "../../../command/config.ts"
import { start } from "../../../command/start.ts"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import { createDatabase, createPool } from "../../../db/connect.ts"
import { loadDemoData } from "../../../db/demo-data.ts"
import { createCommandDatabase } from "../../support/databases.ts"
import { createDocumentCheck } from "../../support/documented.ts"
import { openedForFile } from "../../support/opened.ts"

export type Answer = { status: number; headers: Headers; text: string; body: Record<string, unknown> }

export type RunningService = {
  url: string
  config: Config
  /** The service's database as superuser. */
  db: Kysely<CommandDatabase>
  /** Sends a request; an object becomes a JSON body. Throws if the answer is not one that the route documents. */
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>
  /** Creates a draft with this many keyboards on line 1 (none: an empty draft) and returns its path. */
  createDraft: (quantity?: number) => Promise<string>
}

/** A service for all tests of the file. */
export function givenService(overrides: Partial<Config> = {}): RunningService {
  const service = openedForFile(
    () => runService(overrides),
    (running) => running.stop(),
  )
  return {
    get url() {
      return service().url
    },
    get config() {
      return service().config
    },
    get db() {
      return service().db
    },
    call: (...request) => service().call(...request),
    createDraft: (quantity) => service().createDraft(quantity),
  }
}

async function runService(
  overrides: Partial<Config>,
): Promise<RunningService & { stop: () => Promise<void> }> {
  const database = await createCommandDatabase("command")
  await loadDemoData(database.adminUrl)
  const config: Config = {
    host: "127.0.0.1",
    port: 0,
    databaseUrl: database.urlAs("command_app"),
    sourceName: "orders",
    maxConnections: 20,
    idempotencyKeyTtlHours: 24,
    reservationMinutes: 60,
    scheduleSeconds: 5,
    paymentAnswerSeconds: 10,
    paymentRetrySeconds: 30,
    logLevel: "silent",
    ...overrides,
  }
  const service = await start(config)
  const db = createDatabase<CommandDatabase>(
    createPool({ url: database.adminUrl, applicationName: "test", maxConnections: 4 }),
  )

  const check = createDocumentCheck(async () => (await fetch(`${service.url}/openapi.json`)).json())
  const call: RunningService["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${service.url}${path}`, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    await check(method, path, response.status, response.headers, text)
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: text === "" ? {} : JSON.parse(text),
    }
  }

  return {
    url: service.url,
    config,
    db,
    call,
    createDraft: async (quantity = 1) => {
      const items = quantity === 0 ? [] : [{ product_id: "product-456", quantity }]
      const request = { customer_id: "customer-123", currency: "USD", items }
      const { headers, text } = await call("POST", "/orders", request)
      const location = headers.get("location")
      if (location === null) throw new Error(`no order was created: ${text}`)
      return location
    },
    stop: async () => {
      await service.stop()
      await db.destroy()
      await database.drop()
    },
  }
}
