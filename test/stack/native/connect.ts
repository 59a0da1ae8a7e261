// Kafka Connect with Debezium: one distributed worker. What the connector must know about the source database comes
// through the worker's environment, so that no password stands in a configuration that its REST interface shows.
import { join } from "node:path"
import type { Layout } from "../layout.ts"
import { kafkaClass, writeProperties } from "./java.ts"
import { maxRecordBytes } from "./kafka.ts"
import { createPart, type Part } from "./process.ts"

/** How a test may run the worker; `offsetFlushMs` is the time between two stored source offsets. */
export interface ConnectOptions {
  readonly offsetFlushMs?: number
}

/** Where a worker finds its broker and its plugins, and where it listens. */
export interface WorkerPlace {
  readonly brokers: string
  readonly plugins: string
  readonly listener: string
}

/** Settings of a worker that need no password. */
export const workerProperties = (place: WorkerPlace, options: ConnectOptions): Record<string, string> => ({
  "bootstrap.servers": place.brokers,
  "group.id": "connect",
  "config.storage.topic": "connect-configs",
  "offset.storage.topic": "connect-offsets",
  "status.storage.topic": "connect-status",
  "config.storage.replication.factor": "1",
  "offset.storage.replication.factor": "1",
  "status.storage.replication.factor": "1",
  "offset.storage.partitions": "1",
  "status.storage.partitions": "1",
  "offset.flush.interval.ms": String(options.offsetFlushMs ?? 2000),
  "producer.max.request.size": String(maxRecordBytes),
  "connector.client.config.override.policy": "Allowlist",
  "connector.client.config.override.allowlist": "linger.ms,batch.size,compression.type,max.request.size",
  "plugin.path": place.plugins,
  // Every plugin is named in its jar (for the converter see converter-pom.xml), so no class has to be read to find it.
  "plugin.discovery": "service_load",
  listeners: place.listener,
  "rest.advertised.host.name": "127.0.0.1",
  "key.converter": "org.apache.kafka.connect.json.JsonConverter",
  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  "config.providers": "env",
  "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
  "config.providers.env.param.allowlist.pattern": "CAPTURE_.*|SCHEMA_REGISTRY_URL",
})

/** The worker's part; serves its REST interface once it has joined its group. */
export const createConnect = (layout: Layout, options: ConnectOptions = {}): Part => {
  const { ports, passwords } = layout
  const place = {
    brokers: `127.0.0.1:${ports.kafka}`,
    plugins: join(layout.jars, "plugins"),
    listener: `http://127.0.0.1:${ports.connect}`,
  }
  const config = writeProperties(layout, "connect.properties", workerProperties(place, options))
  return createPart(
    {
      name: "connect",
      command: "java",
      args: kafkaClass(layout, 1200, "org.apache.kafka.connect.cli.ConnectDistributed", config),
      cwd: layout.directory,
      environment: {
        CAPTURE_DATABASE_HOST: "127.0.0.1",
        CAPTURE_DATABASE_PORT: String(ports.commandDatabase),
        CAPTURE_DATABASE_NAME: "orders",
        CAPTURE_DATABASE_USER: "capture",
        CAPTURE_DATABASE_PASSWORD: passwords.capture,
        SCHEMA_REGISTRY_URL: `http://127.0.0.1:${ports.registry}`,
      },
      stopSignal: "SIGTERM",
      startTimeoutMs: 120_000,
      stopTimeoutMs: 20_000,
      healthy: async () => {
        const url = `http://127.0.0.1:${ports.connect}/connectors`
        return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok
      },
    },
    layout,
  )
}
