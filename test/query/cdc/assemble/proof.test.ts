// The proof that a transaction has been read: first the connector's own offset, then where the topics ended then.
import { createServer, type Server } from "node:http"
import { afterEach, expect, test } from "vitest"
import { createCommittedLsnFetcher, createProof } from "../../../../query/cdc/assemble/proof.ts"
import { toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import { lsn } from "../given/records.ts"

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const offsets = (entries: [string, number][]): Map<string, bigint> =>
  new Map(entries.map(([partition, offset]) => [partition, BigInt(offset)]))

/** A proof of the transaction at 200, with everything around it in the test's hands. */
function stage() {
  const state = {
    committed: 100,
    next: offsets([]),
    beyond: new Set<string>(),
    ends: {
      data: offsets([
        ["t/0", 10],
        ["t/1", 5],
      ]),
      commitLog: offsets([["log/0", 7]]),
    },
    asked: 0,
  }
  const proof = createProof(
    lsn(200),
    async () => lsn(state.committed),
    async () => {
      state.asked++
      return state.ends
    },
  )
  const step = () =>
    proof.step({ next: () => state.next, isReadBeyondHead: (partition) => state.beyond.has(partition) })
  return { state, step, proof }
}

const all = offsets([
  ["t/0", 10],
  ["t/1", 5],
  ["log/0", 7],
])

test("nothing is proven while the connector has not committed beyond the transaction, whatever was read", async () => {
  const { state, step } = stage()
  state.next = all
  state.committed = 199
  expect(await step()).toBe("nothing")
  expect(state.asked).toBe(0)
  state.committed = 200
  expect(await step()).toBe("everything")
})

test("where the topics ended is noted once: what comes later belongs to later transactions", async () => {
  const { state, step } = stage()
  state.committed = 200
  expect(await step()).toBe("nothing")
  state.ends = { data: offsets([["t/0", 99]]), commitLog: offsets([["log/0", 99]]) }
  state.next = all
  expect(await step()).toBe("everything")
  expect(state.asked).toBe(1)
})

test("a partition read beyond the head, or at its end, has no more rows of it, but perhaps copies", async () => {
  const { state, step } = stage()
  state.committed = 200
  state.next = offsets([
    ["t/0", 10],
    ["t/1", 3],
    ["log/0", 7],
  ])
  expect(await step()).toBe("nothing")
  state.beyond.add("t/1")
  expect(await step()).toBe("rows")
})

test("rows need no more of the commit log, everything does", async () => {
  const { state, step } = stage()
  state.committed = 200
  state.next = offsets([
    ["t/0", 10],
    ["t/1", 5],
    ["log/0", 6],
  ])
  expect(await step()).toBe("rows")
})

test("one proof serves every transaction that the connector had committed when it was asked", async () => {
  const { state, step, proof } = stage()
  state.committed = 350
  state.next = all
  expect(await step()).toBe("everything")
  expect(proof.coversUpTo()).toBe(lsn(350))
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
