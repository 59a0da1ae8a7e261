// How far the connector has committed, as Kafka Connect answers.
import { createServer, type Server } from "node:http"
import { afterEach, expect, test } from "vitest"
import { createCommittedLsnFetcher } from "../../../../query/cdc/assemble/committed-lsn.ts"
import { toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function connectAnswers(status: number, body: unknown): Promise<string> {
  const server = createServer((_request, response) => {
    response.statusCode = status
    response.end(JSON.stringify(body))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return typeof address === "object" && address ? `http://127.0.0.1:${address.port}` : ""
}

const offset = (lsnCommit: unknown) => ({
  offsets: [{ partition: {}, offset: { lsn_commit: lsnCommit, lsn: 1 } }],
})

test.each([
  { body: offset(1116835456), committed: toLsn(1116835456n) },
  { body: offset("9007199254740993"), committed: toLsn(9007199254740993n) },
  { body: offset(null), committed: null },
  { body: { offsets: [{ partition: {}, offset: { lsn: 1 } }] }, committed: null },
  { body: { offsets: [] }, committed: null },
])("the connector's offset $body.offsets is read as $committed", async ({ body, committed }) => {
  const url = await connectAnswers(200, body)
  expect(await createCommittedLsnFetcher(url, "orders")()).toBe(committed)
})

test("Connect that is down or refuses is asked again", async () => {
  const urls = [await connectAnswers(409, {}), "http://127.0.0.1:1"]
  for (const url of urls) {
    await expect(createCommittedLsnFetcher(url, "orders")()).rejects.toMatchObject({ disposition: "retry" })
  }
})
