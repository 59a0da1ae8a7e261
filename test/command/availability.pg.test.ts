import { spawn } from "node:child_process"
import { once } from "node:events"
import { connect, createServer, type Server, type Socket } from "node:net"
import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { start } from "../../command/start.ts"
import { createPool } from "../../db/connect.ts"
import { argumentsOf } from "../stack/compiled.ts"
import { createRelay } from "../support/relay.ts"
import { givenService } from "./given/running-service.ts"

const service = givenService()

const order = JSON.stringify({ customer_id: "customer-123", items: [], currency: "USD" })
const post = (url: string) =>
  fetch(`${url}/orders`, { method: "POST", body: order, headers: { "Content-Type": "application/json" } })

describe("a database that cannot be reached", () => {
  test("turns readiness red and commands into 503, never into 500; liveness stays", async () => {
    const databaseUrl = new URL(service.config.databaseUrl)
    databaseUrl.port = "1"
    const lonely = await start({ ...service.config, databaseUrl: databaseUrl.href })
    try {
      expect((await fetch(`${lonely.url}/livez`)).status).toBe(200)
      const ready = await fetch(`${lonely.url}/readyz`)
      expect(ready.status).toBe(503)
      expect(await ready.json()).toMatchObject({ database: { reachable: false, error: "ECONNREFUSED" } })
      const answer = await post(lonely.url)
      expect(answer.status).toBe(503)
      expect(answer.headers.get("retry-after")).toBe("1")
      expect(await answer.json()).toMatchObject({ type: "urn:lockstep:problem:database-unavailable" })
    } finally {
      await lonely.stop()
    }
  })

  test("is told apart from one lost while committing, whose outcome nobody knows", async () => {
    const proxy = await startCommitCutter(service.config.databaseUrl)
    const cut = await start({ ...service.config, databaseUrl: proxy.url })
    try {
      const answer = await post(cut.url)
      expect(answer.status).toBe(503)
      expect(await answer.json()).toMatchObject({ type: "urn:lockstep:problem:outcome-unknown" })
    } finally {
      await cut.stop()
      proxy.server.close()
    }
  })
})

describe("a database that takes everything and answers nothing", () => {
  test("costs each command a bounded time and 503, and the service goes on as soon as it answers again", async () => {
    const relay = await createRelay(service.config.databaseUrl)
    const cut = await start({ ...service.config, databaseUrl: relay.through(service.config.databaseUrl) })
    try {
      expect((await post(cut.url)).status).toBe(201)
      relay.blackHole()
      const startedAt = performance.now()
      // More than there are connections: some wait for an answer, some for a connection.
      const answers = await Promise.all(
        Array.from({ length: service.config.maxConnections + 5 }, async () => {
          const answer = await post(cut.url)
          return { status: answer.status, type: Object(await answer.json()).type }
        }),
      )
      const seconds = (performance.now() - startedAt) / 1_000
      expect(seconds).toBeLessThan(10)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
      for (const { type } of answers) expect(type).toBe("urn:lockstep:problem:database-unavailable")
      expect((await fetch(`${cut.url}/readyz`)).status).toBe(503)
      await relay.pass()
      await expect.poll(async () => (await post(cut.url)).status, { timeout: 2_000 }).toBe(201)
    } finally {
      await relay.pass()
      await cut.stop()
      await relay.close()
    }
  })

  test("leaves no lock behind when it is the service that has gone silent inside a transaction", async () => {
    const relay = await createRelay(service.config.databaseUrl)
    const lost = createPool({
      url: relay.through(service.config.databaseUrl),
      applicationName: "lost",
      idleTransactionLimitMs: 500,
    })
    const path = await service.createDraft()
    const id = path.slice("/orders/".length)
    const client = await lost.connect()
    await client.query("begin")
    await client.query("select 1 from orders where id = $1 for update", [id])
    relay.blackHole()
    expect((await service.call("POST", `${path}/confirm`)).status).toBe(200)
    client.release(true)
    await relay.close()
    await lost.end()
  })
})

describe("connections killed under load", () => {
  test("cost 503 at most, and the service goes on", async () => {
    let killing = true
    const killer = (async () => {
      while (killing) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'lockstep-command'`.execute(service.db)
      }
    })()
    const statuses = new Set<number>()
    for (let round = 0; round < 15; round++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => post(service.url)))
      for (const { status } of answers) statuses.add(status)
    }
    killing = false
    await killer
    expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([])
    await expect.poll(async () => (await post(service.url)).status).toBe(201)
    expect((await service.call("GET", "/readyz")).body).toMatchObject({ status: "ready" })
  })
})

describe("stopping", () => {
  test("lets a command in flight finish", async () => {
    const stoppable = await start(service.config)
    const path = await service.createDraft()
    const id = path.slice("/orders/".length)
    let answer: Promise<Response> | undefined
    let stopped: Promise<void> | undefined
    await service.db.transaction().execute(async (trx) => {
      await trx.selectFrom("orders").select("id").where("id", "=", id).forUpdate().execute()
      answer = fetch(`${stoppable.url}${path}/confirm`, { method: "POST" })
      answer.catch(() => undefined)
      await expect.poll(waitingCommands).toBe(1)
      stopped = stoppable.stop()
    })
    const response = await answer
    expect(response?.status).toBe(200)
    expect(response?.headers.get("connection")).toBe("close")
    await stopped
    await expect(fetch(stoppable.url)).rejects.toThrow()
  })

  async function waitingCommands(): Promise<number> {
    const { rows } = await sql<{ waiting: number }>`
      select count(*)::integer as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(service.db)
    return rows[0]?.waiting ?? 0
  }

  test("happens on SIGTERM, with exit code 0 and one log line per request", async () => {
    const child = spawn(process.execPath, argumentsOf("command/main"), {
      env: {
        PATH: process.env.PATH,
        COMMAND_PORT: "0",
        COMMAND_DATABASE_URL: service.config.databaseUrl,
      },
      stdio: ["ignore", "pipe", "inherit"],
    })
    let output = ""
    child.stdout.on("data", (data: Buffer) => {
      output += data.toString()
    })
    const lines = (): Record<string, unknown>[] =>
      output
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    await expect.poll(() => lines().find(({ url }) => url), { timeout: 20_000 }).toBeDefined()
    const url = String(lines().find((line) => line.url)?.url)
    expect((await post(url)).status).toBe(201)
    child.kill("SIGTERM")
    const [code] = await once(child, "exit")
    expect(code).toBe(0)
    const request = { requestId: expect.any(String), method: "POST", path: "/orders", status: 201 }
    expect(lines()).toContainEqual(expect.objectContaining({ ...request, ms: expect.any(Number) }))
    expect(output).not.toContain(new URL(service.config.databaseUrl).password)
  })

  test("never begins with settings that are wrong: it says all that is", async () => {
    const child = spawn(process.execPath, argumentsOf("command/main"), {
      env: { PATH: process.env.PATH, COMMAND_PORT: "none" },
      stdio: ["ignore", "ignore", "pipe"],
    })
    let output = ""
    child.stderr.on("data", (data: Buffer) => {
      output += data.toString()
    })
    const [code] = await once(child, "close")
    expect(code).toBe(1)
    expect(output).toMatch(/COMMAND_PORT.*COMMAND_DATABASE_URL/s)
  })
})

/** A way to the database that breaks every connection at its first COMMIT, after the server got it. */
async function startCommitCutter(databaseUrl: string): Promise<{ url: string; server: Server }> {
  const target = new URL(databaseUrl)
  const server = createServer((client: Socket) => {
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) socket.on("error", () => undefined)
    let cut = false
    client.on("data", (data) => {
      cut ||= data.toString("latin1").includes("commit")
      upstream.write(data)
    })
    upstream.on("data", (data) => (cut ? client.destroy() : client.write(data)))
    client.on("close", () => upstream.destroy())
    upstream.on("close", () => client.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (typeof address !== "object" || !address) throw new Error("the proxy has no port")
  const url = new URL(databaseUrl)
  url.hostname = "127.0.0.1"
  url.port = String(address.port)
  return { url: url.href, server }
}
