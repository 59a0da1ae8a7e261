// Asking the registry for a writer's schema: a registry that is down is asked again later, one that does not know
// the schema never will.
import { createServer } from "node:http"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createDecoder } from "../../../../query/cdc/decode/decode.ts"
import { createSchemaFetcher } from "../../../../query/cdc/decode/schema-registry.ts"
import { EngineError } from "../../../../query/cdc/vocabulary/errors.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { capturedRecords, capturedRegistry } from "../fixtures/envelopes.ts"

const { fetchSchema: captured } = capturedRegistry()
const asked: string[] = []
let status = 200
let schemas = true

const server = createServer((request, response) => {
  asked.push(request.url ?? "")
  response.statusCode = status
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

async function failureOf(work: Promise<unknown>): Promise<EngineError> {
  const failure = await work.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error,
  )
  if (failure instanceof EngineError) return failure
  throw failure
}

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
