import { mkdtempSync, rmSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { isPrepared, prepareLayout, readLayout } from "./layout.ts"

describe("the layout of a stack", () => {
  let directory: string

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), "layout-")), "stack")
  })

  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  test("keeps ports and passwords from one start to the next", async () => {
    expect(isPrepared(directory)).toBe(false)
    const first = await prepareLayout(directory, [])
    const second = await prepareLayout(directory, [])
    expect(second).toEqual(first)
    expect(readLayout(directory)).toEqual(first)
    expect(new Set(Object.values(first.ports)).size).toBe(7)
  })

  test("chooses a port anew when somebody else took it", async () => {
    const { ports } = await prepareLayout(directory, [])
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(ports.kafka, "127.0.0.1", resolve))
    const { ports: chosen } = await prepareLayout(directory, [])
    await new Promise((resolve) => server.close(resolve))
    expect(chosen.kafka).not.toBe(ports.kafka)
    expect({ ...chosen, kafka: 0 }).toEqual({ ...ports, kafka: 0 })
  })

  test("keeps away from ports that are meant for the services", async () => {
    const { ports } = await prepareLayout(directory, [])
    const again = await prepareLayout(directory, [ports.redis])
    expect(again.ports.redis).not.toBe(ports.redis)
  })

  test("lets nobody else read the passwords", async () => {
    await prepareLayout(directory, [])
    expect(statSync(join(directory, "secrets.json")).mode & 0o777).toBe(0o600)
  })
})
