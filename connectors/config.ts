// Settings of the connectors' programs, from the environment. The worker's own variables (CAPTURE_...,
// SCHEMA_REGISTRY_URL) are read by Kafka Connect, never here: no secret of the source passes through these programs.
import { z } from "zod"

/** A topic prefix is a Kafka topic part, a regular expression's literal and half a slot name: letters, digits, `_`, `-`. */
const topicPrefixSchema = z.string().regex(/^[A-Za-z0-9_-]+$/, "only letters, digits, _ and - may be used")

/** Postgres's own rule for slot names. */
const slotNameSchema = z
  .string()
  .max(63)
  .regex(/^[a-z0-9_]+$/, "only lower-case letters, digits and _ may be used")

/** What the programs under connectors/ read; `.env.example` lists the same names. */
const connectorsEnvironment = z.object({
  CONNECT_URL: z.url(),
  KAFKA_BROKERS: z.string().min(1),
  COMMAND_ADMIN_URL: z.string().min(1),
  CONNECTOR_NAME: z.string().min(1).default("orders"),
  TOPIC_PREFIX: topicPrefixSchema.default("ecommerce"),
  SLOT_NAME: slotNameSchema.default("ecommerce_slot"),
  CONNECTOR_DATABASE_NAME: z.string().min(1).optional(),
})

export type ConnectorsConfig = {
  connectUrl: string
  kafkaBrokers: string
  /** Administrator of the command database: reads the slot and the publication, changes nothing. */
  adminUrl: string
  connectorName: string
  topicPrefix: string
  slotName: string
  /** Another database of the same cluster than the one that the worker and adminUrl name: another source. */
  databaseName: string | undefined
}

/** Reads the environment; every fault is named at once, and no value is printed. */
export function readConnectorsConfig(
  environment: Record<string, string | undefined> = process.env,
): ConnectorsConfig {
  const parsed = connectorsEnvironment.safeParse(environment)
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`)
    throw new ConfigurationError(`The environment is not complete:\n${faults.join("\n")}`)
  }
  const env = parsed.data
  return {
    connectUrl: env.CONNECT_URL,
    kafkaBrokers: env.KAFKA_BROKERS,
    adminUrl: env.COMMAND_ADMIN_URL,
    connectorName: env.CONNECTOR_NAME,
    topicPrefix: env.TOPIC_PREFIX,
    slotName: env.SLOT_NAME,
    databaseName: env.CONNECTOR_DATABASE_NAME,
  }
}

/** The program was called wrongly: exit code 2. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError"
}
