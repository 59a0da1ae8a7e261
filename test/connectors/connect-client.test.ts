import { createServer, type Server } from "node:http"
import { afterEach, expect, test } from "vitest"
import { ConnectError, createConnectClient } from "../../connectors/connect-client.ts"

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

type Reply = { status: number; body: string }

/** A worker that answers the given replies in turn, the last one for ever. */
async function startWorker(replies: Reply[]): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const reply = replies[Math.min(requests.length, replies.length) - 1]
    response.writeHead(reply?.status ?? 500).end(reply?.body ?? "")
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`, requests }
}

const rebalancing = {
  status: 409,
  body: '{"error_code":409,"message":"Cannot complete request momentarily"}',
}

test("repeats a request while the worker rebalances", async () => {
  const worker = await startWorker([rebalancing, rebalancing, { status: 200, body: '{"a":"1"}' }])
  const connect = createConnectClient({ url: worker.url })
  await expect(connect.readSettings("orders")).resolves.toEqual({ a: "1" })
  expect(worker.requests).toHaveLength(3)
})

test("answers null for a connector that does not exist", async () => {
  const worker = await startWorker([
    { status: 404, body: '{"error_code":404,"message":"no such connector"}' },
  ])
  await expect(createConnectClient({ url: worker.url }).readStatus("orders")).resolves.toBeNull()
})

test("does not take a worker that still starts for one without the connector", async () => {
  const starting = { status: 404, body: '{"message":"Not Found","status":"404"}' }
  const worker = await startWorker([starting, starting, { status: 200, body: '{"a":"1"}' }])
  await expect(createConnectClient({ url: worker.url }).readSettings("orders")).resolves.toEqual({ a: "1" })
})

test("fails at once with Connect's own reason when the settings are refused", async () => {
  const worker = await startWorker([
    { status: 400, body: '{"error_code":400,"message":"slot.name is invalid"}' },
  ])
  const connect = createConnectClient({ url: worker.url })
  await expect(connect.writeSettings("orders", {})).rejects.toThrow(/refused PUT .* slot\.name is invalid/)
  expect(worker.requests).toHaveLength(1)
})

test("says so when something else than Connect answers", async () => {
  const worker = await startWorker([{ status: 200, body: "<html>" }])
  await expect(createConnectClient({ url: worker.url }).readSettings("x")).rejects.toThrow(
    /is this Kafka Connect/,
  )
})

test("names the address when nobody answers", async () => {
  const worker = await startWorker([])
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
  const connect = createConnectClient({ url: worker.url, retries: 1 })
  const failure = await connect.readStatus("orders").catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(ConnectError)
  expect(String(failure)).toContain(worker.url)
})

test("escapes the connector's name", async () => {
  const worker = await startWorker([{ status: 200, body: "{}" }])
  await createConnectClient({ url: worker.url }).readSettings("a/b")
  expect(worker.requests).toEqual(["GET /connectors/a%2Fb/config"])
})
