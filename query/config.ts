// The query service's settings. Only this file of the service reads the environment. One error reports every fault, a
// role demands only the settings that it uses, and the printed settings hide the passwords.
import { readFileSync } from "node:fs"
import { z } from "zod"
import {
  httpUrl,
  type ProjectedSource,
  parseNames,
  parseSources,
  postgresUrl,
  sourceNameSchema,
  topicPrefixSchema,
} from "./source-settings.ts"

const roleSchema = z.enum(["all", "http", "projector"])

const everyRole = z.object({
  QUERY_HOST: z.string().min(1).default("127.0.0.1"),
  QUERY_PORT: z.coerce.number().int().min(0).max(65_535).default(8081),
  ROLE: roleSchema.default("all"),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  LOG_LEVEL: z.enum(["silent", "fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
})

const toServe = z.object({
  READER_DATABASE_URL: postgresUrl,
  READER_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(1_000).default(20),
})

const toProject = z.object({
  PROJECTOR_DATABASE_URL: postgresUrl,
  KAFKA_BROKERS: z.string().min(1),
  SCHEMA_REGISTRY_URL: httpUrl,
  CONNECT_URL: httpUrl,
  LEASE_SECONDS: z.coerce.number().int().min(2).max(600).default(10),
  ON_HALT: z.enum(["exit", "stay"]).optional(),
  MAX_PENDING_MIB: z.coerce.number().int().min(1).max(65_536).default(64),
  DEAD_LETTER_LIMIT: z.coerce.number().int().min(0).max(1_000_000).default(1_000),
})

const oneSource = z.object({
  SOURCE_NAME: sourceNameSchema.default("orders"),
})

const oneProjectedSource = z.object({
  SOURCE_DATABASE_URL: postgresUrl,
  CONNECTOR_NAME: z.string().min(1).default("orders"),
  TOPIC_PREFIX: topicPrefixSchema.default("ecommerce"),
})

const severalSources = z.object({
  SOURCES: z.string().optional(),
  SOURCES_FILE: z.string().optional(),
})

/** The work of an instance: answering queries, projecting, or both. */
export type Role = z.infer<typeof roleSchema>

export type ProjectingConfig = {
  databaseUrl: string
  kafkaBrokers: string[]
  schemaRegistryUrl: string
  leaseMs: number
  /** When every projector of the process has halted: `exit` ends the process, `stay` waits for a request. */
  onHalt: "exit" | "stay"
  /** Bound on row changes held in memory before their transaction is whole, per source. */
  maxPendingBytes: number
  /** Most dead letters of a source in the state `parked`; with one more its projector halts. */
  deadLetterLimit: number
  sources: ProjectedSource[]
}

export type Config = {
  host: string
  /** 0 takes a free port. */
  port: number
  role: Role
  redisUrl: string
  logLevel: z.infer<typeof everyRole>["LOG_LEVEL"]
  /** Names of the sources; queries of the first source are answered at the root, too. */
  sources: string[]
  /** Null in role `projector`. */
  serving: { databaseUrl: string; maxConnections: number } | null
  /** Null in role `http`. */
  projecting: ProjectingConfig | null
}

type Environment = Record<string, string | undefined>

/** Throws an error whose message lists every setting that is missing or wrong. */
export function loadConfig(env: Environment = process.env): Config {
  const faults: string[] = []
  const role = roleSchema.safeParse(env.ROLE).data ?? "all"
  const process_ = read(everyRole, env, faults)
  const serving = role === "projector" ? null : read(toServe, env, faults)
  const projecting = role === "http" ? null : read(toProject, env, faults)
  const listed = readListed(env, faults)
  const connectUrl = role === "http" ? null : (projecting?.CONNECT_URL ?? "")
  const sources = listed === null ? readOne(env, connectUrl, faults) : readSeveral(listed, connectUrl, faults)
  if (faults.length > 0 || !process_ || !sources) {
    throw new Error(`the query service's settings are not usable:\n${faults.join("\n")}`)
  }
  return {
    host: process_.QUERY_HOST,
    port: process_.QUERY_PORT,
    role,
    redisUrl: process_.REDIS_URL,
    logLevel: process_.LOG_LEVEL,
    sources: sources.names,
    serving: serving && {
      databaseUrl: serving.READER_DATABASE_URL,
      maxConnections: serving.READER_MAX_CONNECTIONS,
    },
    projecting: projecting && {
      databaseUrl: projecting.PROJECTOR_DATABASE_URL,
      kafkaBrokers: projecting.KAFKA_BROKERS.split(",").map((broker) => broker.trim()),
      schemaRegistryUrl: projecting.SCHEMA_REGISTRY_URL,
      leaseMs: projecting.LEASE_SECONDS * 1_000,
      onHalt: projecting.ON_HALT ?? (role === "projector" ? "exit" : "stay"),
      maxPendingBytes: projecting.MAX_PENDING_MIB * 1024 * 1024,
      deadLetterLimit: projecting.DEAD_LETTER_LIMIT,
      sources: sources.projected,
    },
  }
}

function read<Output>(schema: z.ZodType<Output>, env: Environment, faults: string[]): Output | null {
  const parsed = schema.safeParse(env)
  if (parsed.success) return parsed.data
  faults.push(z.prettifyError(parsed.error))
  return null
}

type Sources = { names: string[]; projected: ProjectedSource[] } | null

/** The one source of settings without a list of sources. `connectUrl` is null where the instance does not project. */
function readOne(env: Environment, connectUrl: string | null, faults: string[]): Sources {
  const one = read(oneSource, env, faults)
  if (connectUrl === null) return one && { names: [one.SOURCE_NAME], projected: [] }
  const more = read(oneProjectedSource, env, faults)
  if (!one || !more) return null
  const source = {
    name: one.SOURCE_NAME,
    databaseUrl: more.SOURCE_DATABASE_URL,
    connectorName: more.CONNECTOR_NAME,
    topicPrefix: more.TOPIC_PREFIX,
    connectUrl,
  }
  return { names: [source.name], projected: [source] }
}

function readSeveral(listed: string, connectUrl: string | null, faults: string[]): Sources {
  const parsed = connectUrl === null ? parseNames(listed) : parseSources(listed, connectUrl)
  if (parsed.ok) return parsed.sources
  faults.push(parsed.fault)
  return null
}

/** The text of SOURCES or of the file that SOURCES_FILE names; null if neither is set. */
function readListed(env: Environment, faults: string[]): string | null {
  const several = read(severalSources, env, faults)
  if (several?.SOURCES_FILE === undefined) return several?.SOURCES ?? null
  if (several.SOURCES !== undefined) faults.push("✖ SOURCES and SOURCES_FILE: only one of them may be set")
  try {
    return readFileSync(several.SOURCES_FILE, "utf8")
  } catch (error) {
    faults.push(`✖ SOURCES_FILE: ${error instanceof Error ? error.message : String(error)}`)
    return "[]"
  }
}

/** The settings for the log, without passwords. */
export function describeConfig(config: Config): unknown {
  return JSON.parse(
    JSON.stringify(config, (name, value: unknown) =>
      typeof value === "string" && name.endsWith("Url") ? withoutPassword(value) : value,
    ),
  )
}

function withoutPassword(text: string): string {
  const url = new URL(text)
  if (url.password !== "") url.password = "***"
  url.search = ""
  return url.href
}
