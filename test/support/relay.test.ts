import { once } from "node:events"
import { connect, createServer, type Server, type Socket } from "node:net"
import { afterEach, beforeEach, expect, test } from "vitest"
import { createRelay, type Relay } from "./relay.ts"
import { waitFor } from "./wait.ts"

let echo: Server
let relay: Relay
let client: Socket
let received = ""

beforeEach(async () => {
  echo = createServer((socket) => socket.pipe(socket).on("error", () => {}))
  echo.listen(0, "127.0.0.1")
  await once(echo, "listening")
  const address = echo.address()
  relay = await createRelay(`tcp://127.0.0.1:${typeof address === "object" ? address?.port : 0}`)
  client = await open()
  received = ""
  client.on("data", (data) => {
    received += data.toString()
  })
})

afterEach(async () => {
  client?.destroy()
  await relay?.close()
  echo?.close()
})

async function open(): Promise<Socket> {
  const { port, hostname } = new URL(relay.through("tcp://elsewhere:1"))
  const socket = connect(Number(port), hostname)
  socket.on("error", () => {})
  await once(socket, "connect")
  return socket
}

const hasReceived = (text: string) => waitFor(() => received === text, `"${text}" is received`)

test("passes on what is said in both directions", async () => {
  client.write("one")
  await hasReceived("one")
})

test("as a black hole keeps connections open and lets nothing through before it is over", async () => {
  client.write("one")
  await hasReceived("one")
  relay.blackHole()
  client.write("two")
  const second = await open()
  // Much longer than the way there and back: nothing may come through.
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(received).toBe("one")
  expect(client.destroyed || second.destroyed).toBe(false)
  await relay.pass()
  await hasReceived("onetwo")
  second.destroy()
})

test("refuses or resets connections, and passes again", async () => {
  await relay.refuse()
  await waitFor(() => client.destroyed, "the connection is broken")
  await expect(open()).rejects.toMatchObject({ code: "ECONNREFUSED" })
  await relay.pass()
  client = await open()
  relay.reset()
  const [error] = await once(client, "error")
  expect(error).toMatchObject({ code: "ECONNRESET" })
})
