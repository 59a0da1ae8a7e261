import { createServer } from "node:net"
import { expect, test } from "vitest"
import { isFree, pickFreePort } from "./ports.ts"

test("tells a port that somebody listens on from a free one", async () => {
  const port = await pickFreePort(new Set())
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  expect(await isFree(port)).toBe(false)
  await new Promise((resolve) => server.close(resolve))
  expect(await isFree(port)).toBe(true)
})

test("passes over a port that was given away already", async () => {
  const port = await pickFreePort(new Set())
  const drawn = [(port - 20_000) / 12_000, (port - 20_000) / 12_000, 0.5]
  const other = await pickFreePort(new Set([port]), () => drawn.shift() ?? Math.random())
  expect(other).not.toBe(port)
})
