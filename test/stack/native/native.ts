// The native stack: every part as a process of this machine, from npm, Maven and pip. Parts that do not need each
// other start together; they stop in the order of the flow, so that nobody logs the loss of what stands behind it.
import type { Layout } from "../layout.ts"
import type { Progress } from "../progress.ts"
import { type Infrastructure, localUrls } from "../stack.ts"
import { createClusters } from "./clusters.ts"
import { type ConnectOptions, createConnect } from "./connect.ts"
import { createKafka } from "./kafka.ts"
import type { Part } from "./process.ts"
import { createRegistry } from "./registry.ts"
import { createValkey } from "./valkey.ts"

/** How the parts are to run; both settings exist for tests. */
export type NativeOptions = ConnectOptions & {
  readonly durable?: boolean
}

/** The parts of the native stack, running or not. */
export function createNativeInfrastructure(layout: Layout, options: NativeOptions = {}): Infrastructure {
  const { ports } = layout
  const { commandDatabase, queryDatabase } = createClusters(layout, options.durable ?? true)
  const kafka = createKafka(layout)
  const registry = createRegistry(layout)
  const connect = createConnect(layout, options)
  const redis = createValkey(layout)

  const shown = (progress: Progress, title: string, part: Part, port: number): Promise<void> =>
    progress.step(title, part.start, `127.0.0.1:${port}`)

  const { admin: _, ...passwords } = layout.passwords
  return {
    kind: "native",
    passwords,
    parts: { commandDatabase, queryDatabase, kafka, registry, connect, redis },
    urls: localUrls(layout),
    start: async (progress) => {
      await Promise.all([
        shown(progress, "Kafka", kafka, ports.kafka).then(() =>
          shown(progress, "Kafka Connect with Debezium", connect, ports.connect),
        ),
        shown(progress, "Postgres (command database)", commandDatabase, ports.commandDatabase),
        shown(progress, "Postgres (query database)", queryDatabase, ports.queryDatabase),
        shown(progress, "Schema registry", registry, ports.registry),
        shown(progress, "Valkey", redis, ports.redis),
      ])
    },
    stop: async () => {
      await connect.stop()
      await Promise.all([kafka.stop(), registry.stop(), redis.stop()])
      await Promise.all([commandDatabase.stop(), queryDatabase.stop()])
    },
  }
}
