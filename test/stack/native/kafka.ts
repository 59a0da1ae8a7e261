// The Kafka broker: one node that is also its own controller (KRaft). Topics are never created by accident.
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { kafkaAnswers } from "../health.ts"
import type { Layout } from "../layout.ts"
import { archiveFlags } from "./class-archive.ts"
import { kafkaClass, propertiesFile, quickStart } from "./java.ts"
import { createPart, type Part } from "./process.ts"

// Above the largest row that the API permits; connectors/orders.json lets Debezium send as much.
const maxRecordBytes = 16 * 1024 * 1024

// Any 22 characters of base64url name a cluster; one fixed name serves, for no two clusters ever meet.
const clusterId = "bG9ja3N0ZXAtLWthZmthMQ"

/** The broker's part; formats its data directory before the first start. */
export function createKafka(layout: Layout): Part {
  const config = propertiesFile(layout, "kafka.properties")
  const part = createPart(
    {
      name: "kafka",
      command: "java",
      get args() {
        const flags = [...quickStart(768), ...archiveFlags(layout, "kafka")]
        return kafkaClass(layout, flags, "kafka.Kafka", config.path)
      },
      cwd: layout.directory,
      stopSignal: "SIGTERM",
      startTimeoutMs: 60_000,
      stopTimeoutMs: 30_000,
      healthy: () => kafkaAnswers(`127.0.0.1:${layout.ports.kafka}`),
    },
    layout,
  )
  return {
    ...part,
    start: async () => {
      config.write(serverProperties(layout))
      await format(layout, config.path)
      await part.start()
    },
  }
}

async function format(layout: Layout, config: string): Promise<void> {
  if (existsSync(join(layout.data, "kafka/meta.properties"))) return
  const args = ["format", "--cluster-id", clusterId, "--config", config]
  await promisify(execFile)("java", kafkaClass(layout, quickStart(256), "kafka.tools.StorageTool", ...args))
}

function serverProperties({ ports, data }: Layout): Record<string, string> {
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${ports.kafkaController}`,
    listeners: `PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://127.0.0.1:${ports.kafkaController}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${ports.kafka}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": join(data, "kafka"),
    "message.max.bytes": String(maxRecordBytes),
    "replica.fetch.max.bytes": String(maxRecordBytes),
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": String(16 * 1024 * 1024),
  }
}
