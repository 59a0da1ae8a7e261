// Asking the registry for a writer's schema: a registry that is down is asked again later, one that does not know
// the schema never will. And registering the schema of this side's events, which changes nothing else.
import { createServer } from "node:http"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createDecoder } from "../../../../query/cdc/decode/decode.ts"
import { createSchemaFetcher, createSchemaRegistering } from "../../../../query/cdc/decode/schema-registry.ts"
import { messageSchema } from "../../../../query/cdc/events/cloud-event.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { capturedRecords, capturedRegistry } from "../fixtures/envelopes.ts"
import { failureOf } from "./given/failure.ts"

const { fetchSchema: captured } = capturedRegistry()
const asked: string[] = []
let status = 200
let schemas = true
let breaksOff = false
/** What the registry has of a subject; null answers that it has no compatibility of its own. */
let compatibility: string | null = null

const server = createServer((request, response) => {
  asked.push(request.method === "GET" ? (request.url ?? "") : `${request.method} ${request.url}`)
  response.statusCode = status
  if (breaksOff) {
    response.writeHead(200, { "content-length": 5_000 })
    response.write('{"schema":', () => request.socket.destroy())
    return
  }
  if (request.url?.includes("/config/")) {
    response.statusCode = compatibility === null ? 404 : 200
    response.end(JSON.stringify(compatibility === null ? {} : { compatibilityLevel: compatibility }))
    return
  }
  if (request.method === "POST") {
    request.resume().on("end", () => response.end(JSON.stringify({ id: 7, message: "it is another schema" })))
    return
  }
  const id = Number(request.url?.split("/").at(-1))
  void captured(id).then((schema) => response.end(JSON.stringify(schemas ? { schema } : { other: "answer" })))
})
let registryUrl = ""

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (typeof address === "object" && address) registryUrl = `http://127.0.0.1:${address.port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const raw = capturedRecords("orders")[0] ?? expect.unreachable("no order was captured")
const schemaId = raw.value?.readInt32BE(1) ?? 0
const table = orderProjections.tables.find(({ name }) => name === "orders") ?? expect.unreachable()

test("a schema is fetched once and kept", async () => {
  status = 200
  const fetchSchema = createSchemaFetcher(registryUrl)
  const before = asked.length
  expect(await fetchSchema(schemaId)).toBe(await captured(schemaId))
  expect(await fetchSchema(schemaId)).toBe(await captured(schemaId))
  expect(asked.slice(before)).toEqual([`/apis/ccompat/v7/schemas/ids/${schemaId}`])
})

test("a record whose schema the registry does not know is bad and names it", async () => {
  status = 404
  const failure = await failureOf(createDecoder(createSchemaFetcher(registryUrl)).decodeData(raw, table))
  expect(failure).toMatchObject({ code: "unknown-schema", disposition: "dead-letter", detail: { schemaId } })
})

test("a registry that fails is asked again, and then the record decodes", async () => {
  const decoder = createDecoder(createSchemaFetcher(registryUrl))
  for (const failing of [500, 503, 429]) {
    status = failing
    expect(await failureOf(decoder.decodeData(raw, table))).toMatchObject({
      code: "dependency-down",
      disposition: "retry",
    })
  }
  status = 200
  expect(await decoder.decodeData(raw, table)).toMatchObject({ change: { op: "upsert", key: ["o1"] } })
})

test.each([401, 403])(
  "a registry that answers %d refuses this process: waiting does not help",
  async (refusal) => {
    status = refusal
    const failure = await failureOf(createDecoder(createSchemaFetcher(registryUrl)).decodeData(raw, table))
    expect(failure).toMatchObject({ code: "misconfigured", disposition: "halt", detail: { status: refusal } })
    expect(failure.nextStep).toContain("settings")
    status = 200
  },
)

test("a registry that is down is asked again", async () => {
  const failure = await failureOf(createSchemaFetcher("http://127.0.0.1:1")(schemaId))
  expect(failure).toMatchObject({ code: "dependency-down", disposition: "retry" })
})

test("an answer that is no schema is a fault of the dependency, not of the record", async () => {
  status = 200
  schemas = false
  const failure = await createSchemaFetcher(registryUrl)(schemaId).catch((error: unknown) => error)
  expect(failure).not.toMatchObject({ disposition: "halt" })
  schemas = true
})

test("askers of one schema at the same time share one request", async () => {
  const fetchSchema = createSchemaFetcher(registryUrl)
  const before = asked.length
  const texts = await Promise.all([fetchSchema(schemaId), fetchSchema(schemaId), fetchSchema(schemaId)])
  expect(new Set(texts)).toEqual(new Set([await captured(schemaId)]))
  expect(asked).toHaveLength(before + 1)
})

test("a schema keeps the attributes that Connect gave it", async () => {
  expect(await createSchemaFetcher(registryUrl)(schemaId)).toContain('"connect.name"')
})

test("a registry whose connection breaks in the middle of an answer is asked again", {
  timeout: 15_000,
}, async () => {
  const fetchSchema = createSchemaFetcher(registryUrl)
  breaksOff = true
  expect(await failureOf(fetchSchema(schemaId))).toMatchObject({
    code: "dependency-down",
    disposition: "retry",
  })
  breaksOff = false
  expect(await fetchSchema(schemaId)).toBe(await captured(schemaId))
})

describe("registering the schema of the events", () => {
  const { outbox } = orderProjections
  const schema = messageSchema(outbox ?? expect.unreachable("no events are told"))

  test.each([null, "BACKWARD", "FULL_TRANSITIVE"])(
    "leaves a subject's compatibility %s as it is",
    async (level) => {
      compatibility = level
      const before = asked.length
      await createSchemaRegistering(registryUrl)("orders-value", schema)
      const sent = asked.slice(before).filter((one) => one.includes(" "))
      expect(sent).toEqual(["POST /apis/ccompat/v7/subjects/orders-value/versions"])
    },
  )

  test.each([
    { answered: 409, code: "dependency-down", says: "it answered 409" },
    { answered: 403, code: "misconfigured", says: "it answered 403" },
  ])("fails with what the registry answered: $answered", async ({ answered, code, says }) => {
    status = answered
    const failure = await failureOf(createSchemaRegistering(registryUrl)("orders-value", schema))
    expect(failure).toMatchObject({
      code,
      message: expect.stringContaining(says),
      detail: { status: answered },
    })
    expect(failure.message).toContain("it is another schema")
    status = 200
  })

  test("fails while the registry is down", async () => {
    const failure = await failureOf(createSchemaRegistering("http://127.0.0.1:1")("orders-value", schema))
    expect(failure).toMatchObject({
      code: "dependency-down",
      message: expect.stringContaining("does not answer"),
    })
  })
})
