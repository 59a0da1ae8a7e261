// Kafka Connect with Debezium: one distributed worker. What the connector must know about the source database comes
// through the worker's environment, so that no password stands in a configuration that its REST interface shows.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { httpAnswers } from "../health.ts"
import type { Layout } from "../layout.ts"
import { archiveFlags } from "./class-archive.ts"
import { kafkaClass, propertiesFile, quickStart } from "./java.ts"
import { createPart, type Part } from "./process.ts"

/** How a test may run the worker; `offsetFlushMs` is the time between two stored source offsets. */
export type ConnectOptions = {
  readonly offsetFlushMs?: number
}

/** The worker's part; serves its REST interface once it has joined its group. */
export function createConnect(layout: Layout, options: ConnectOptions = {}): Part {
  const { ports, passwords } = layout
  const config = propertiesFile(layout, "connect.properties")
  const part = createPart(
    {
      name: "connect",
      command: "java",
      get args() {
        const flags = [...quickStart(1200), ...archiveFlags(layout, "connect")]
        return kafkaClass(layout, flags, "org.apache.kafka.connect.cli.ConnectDistributed", config.path)
      },
      cwd: layout.directory,
      environment: {
        KAFKA_BROKERS: `127.0.0.1:${ports.kafka}`,
        CAPTURE_DATABASE_HOST: "127.0.0.1",
        CAPTURE_DATABASE_PORT: String(ports.commandDatabase),
        CAPTURE_DATABASE_NAME: "orders",
        CAPTURE_DATABASE_USER: "capture",
        CAPTURE_DATABASE_PASSWORD: passwords.capture,
        SCHEMA_REGISTRY_URL: `http://127.0.0.1:${ports.registry}`,
      },
      stopSignal: "SIGTERM",
      startTimeoutMs: 120_000,
      stopTimeoutMs: 30_000,
      healthy: () => httpAnswers(`http://127.0.0.1:${ports.connect}/connectors`),
    },
    layout,
  )
  return {
    ...part,
    start: async () => {
      // The container image's own settings, but for what differs on this machine; the last line for a key wins.
      const inherited = readFileSync(join(layout.project, "connectors/worker/worker.properties"), "utf8")
      config.write(ownProperties(layout, options), inherited)
      await part.start()
    },
  }
}

function ownProperties({ ports, jars }: Layout, options: ConnectOptions): Record<string, string> {
  return {
    listeners: `http://127.0.0.1:${ports.connect}`,
    "rest.advertised.host.name": "127.0.0.1",
    "plugin.path": join(jars, "plugins"),
    ...(options.offsetFlushMs === undefined
      ? {}
      : { "offset.flush.interval.ms": String(options.offsetFlushMs) }),
  }
}
