// The query service's settings. The only reader of the environment; every fault is reported at once, and what is
// printed hides the passwords.
import { z } from "zod"

const postgresUrl = z.url({ protocol: /^postgres(ql)?$/ })
const httpUrl = z.url({ protocol: /^https?$/ })

const environment = z.object({
  QUERY_HOST: z.string().min(1).default("127.0.0.1"),
  QUERY_PORT: z.coerce.number().int().min(0).max(65_535).default(8081),
  PROJECTOR_DATABASE_URL: postgresUrl,
  READER_DATABASE_URL: postgresUrl,
  READER_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(1_000).default(20),
  SOURCE_DATABASE_URL: postgresUrl,
  KAFKA_BROKERS: z.string().min(1),
  SCHEMA_REGISTRY_URL: httpUrl,
  CONNECT_URL: httpUrl,
  SOURCE_NAME: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .default("orders"),
  CONNECTOR_NAME: z.string().min(1).default("orders"),
  TOPIC_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .default("ecommerce"),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  MAX_PENDING_MIB: z.coerce.number().int().min(1).max(65_536).default(64),
  DEAD_LETTER_LIMIT: z.coerce.number().int().min(0).max(1_000_000).default(1_000),
  LOG_LEVEL: z.enum(["silent", "fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
})

export type Config = {
  host: string
  /** 0 takes a free port. */
  port: number
  projectorDatabaseUrl: string
  readerDatabaseUrl: string
  readerMaxConnections: number
  /** Role with REPLICATION on the write side's database: base loads read an exported snapshot. */
  sourceDatabaseUrl: string
  kafkaBrokers: string[]
  schemaRegistryUrl: string
  connectUrl: string
  /** Name of the source in tokens, cache keys and progress; the command service must use the same. */
  sourceName: string
  connectorName: string
  topicPrefix: string
  redisUrl: string
  /** Bound on row changes held in memory before their transaction is whole. */
  maxPendingBytes: number
  /** Most changes that may be parked as dead letters before the projector halts. */
  deadLetterLimit: number
  logLevel: z.infer<typeof environment>["LOG_LEVEL"]
}

/** Throws an error whose message lists everything that is missing or wrong. */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const parsed = environment.safeParse(env)
  if (!parsed.success) {
    throw new Error(`the query service's settings are not usable:\n${z.prettifyError(parsed.error)}`)
  }
  const data = parsed.data
  return {
    host: data.QUERY_HOST,
    port: data.QUERY_PORT,
    projectorDatabaseUrl: data.PROJECTOR_DATABASE_URL,
    readerDatabaseUrl: data.READER_DATABASE_URL,
    readerMaxConnections: data.READER_MAX_CONNECTIONS,
    sourceDatabaseUrl: data.SOURCE_DATABASE_URL,
    kafkaBrokers: data.KAFKA_BROKERS.split(",").map((broker) => broker.trim()),
    schemaRegistryUrl: data.SCHEMA_REGISTRY_URL,
    connectUrl: data.CONNECT_URL,
    sourceName: data.SOURCE_NAME,
    connectorName: data.CONNECTOR_NAME,
    topicPrefix: data.TOPIC_PREFIX,
    redisUrl: data.REDIS_URL,
    maxPendingBytes: data.MAX_PENDING_MIB * 1024 * 1024,
    deadLetterLimit: data.DEAD_LETTER_LIMIT,
    logLevel: data.LOG_LEVEL,
  }
}

/** The settings as they may be logged. */
export function describeConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name,
      name.endsWith("Url") ? withoutPassword(String(value)) : value,
    ]),
  )
}

function withoutPassword(text: string): string {
  const url = new URL(text)
  if (url.password !== "") url.password = "***"
  url.search = ""
  return url.href
}
