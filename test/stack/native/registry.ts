// The schema registry. Its schemas are kept on disk: Kafka keeps records that name them by id, so a registry that
// forgot its ids would make every topic unreadable.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { httpAnswers } from "../health.ts"
import type { Layout } from "../layout.ts"
import { archiveFlags } from "./class-archive.ts"
import { quickStart } from "./java.ts"
import { createPart, type Part } from "./process.ts"

/** The registry's part; serves Confluent's interface under /apis/ccompat/v7. */
export function createRegistry(layout: Layout): Part {
  const data = join(layout.data, "registry")
  mkdirSync(data, { recursive: true })
  return createPart(
    {
      name: "registry",
      command: "java",
      get args() {
        return [
          ...[...quickStart(384), ...archiveFlags(layout, "registry")],
          "-Dquarkus.http.host=127.0.0.1",
          `-Dquarkus.http.port=${layout.ports.registry}`,
          `-Dquarkus.datasource.jdbc.url=jdbc:h2:file:${join(data, "schemas")}`,
          "-jar",
          join(layout.jars, "registry/apicurio-registry-app-2.6.13.Final-runner.jar"),
        ]
      },
      cwd: data,
      stopSignal: "SIGTERM",
      startTimeoutMs: 60_000,
      stopTimeoutMs: 30_000,
      healthy: () => httpAnswers(`http://127.0.0.1:${layout.ports.registry}/health/ready`),
    },
    layout,
  )
}
