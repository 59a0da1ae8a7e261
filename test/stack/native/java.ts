// What the three Java parts share: the command line of a JVM that starts fast, and a log format.
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Layout } from "../layout.ts"

const logging = `rootLogger.level=INFO
rootLogger.appenderRef.stdout.ref=STDOUT
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1} %m%n
logger.reflections.name=org.reflections
logger.reflections.level=ERROR
`

/** Flags that trade peak speed for a quick start and little memory; right for development, wrong for benchmarks. */
export const quickStart = (heapMb: number): string[] => [
  `-Xmx${heapMb}m`,
  "-XX:TieredStopAtLevel=1",
  "-XX:+UseSerialGC",
  "-Xshare:auto",
]

/** Writes a properties file into the stack's directory and returns its path. */
export const writeProperties = (layout: Layout, name: string, properties: Record<string, string>): string => {
  const directory = join(layout.directory, "config")
  mkdirSync(directory, { recursive: true })
  const path = join(directory, name)
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value.replaceAll("\\", "\\\\")}`)
  writeFileSync(path, `${lines.join("\n")}\n`)
  return path
}

/** Arguments of `java` for a main class of Kafka or Connect. */
export const kafkaClass = (
  layout: Layout,
  heapMb: number,
  mainClass: string,
  ...args: string[]
): string[] => {
  mkdirSync(join(layout.directory, "config"), { recursive: true })
  const loggingFile = join(layout.directory, "config/log4j2.properties")
  writeFileSync(loggingFile, logging)
  return [
    ...quickStart(heapMb),
    `-Dlog4j2.configurationFile=${loggingFile}`,
    "-cp",
    join(layout.jars, "kafka/*"),
    mainClass,
    ...args,
  ]
}
