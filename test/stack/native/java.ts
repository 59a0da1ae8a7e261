// What the three Java parts share: the command line of a JVM that starts fast, and files of properties.
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Layout } from "../layout.ts"

/** Flags that trade peak speed for a quick start and little memory; right for development, wrong for benchmarks. */
export function quickStart(heapMb: number): string[] {
  return [`-Xmx${heapMb}m`, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
}

/** A properties file of this stack. It is written when its part starts, so looking at a part changes nothing. */
export function propertiesFile(layout: Layout, name: string) {
  const path = join(layout.directory, "config", name)
  return {
    path,
    /** Writes the file; `properties` win over the lines that are `inherited`. */
    write: (properties: Readonly<Record<string, string>>, inherited = ""): void => {
      mkdirSync(dirname(path), { recursive: true })
      const lines = Object.entries(properties).map(
        ([key, value]) => `${key}=${value.replaceAll("\\", "\\\\")}`,
      )
      writeFileSync(path, `${inherited}\n${lines.join("\n")}\n`)
    },
  }
}

/** Arguments of `java` for a main class of Kafka or Connect. */
export function kafkaClass(
  layout: Layout,
  flags: readonly string[],
  mainClass: string,
  ...args: string[]
): string[] {
  return [
    ...flags,
    `-Dlog4j2.configurationFile=${join(layout.project, "connectors/worker/log4j2.properties")}`,
    "-cp",
    join(layout.jars, "kafka/*"),
    mainClass,
    ...args,
  ]
}
