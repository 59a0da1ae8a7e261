// Settings of registering a connector and of looking at it. The worker's own variables (CAPTURE_...,
// SCHEMA_REGISTRY_URL) are read by Kafka Connect, never here: no secret of the source passes through these operations.
import { z } from "zod"

/** A topic prefix is a Kafka topic part, a regular expression's literal and half a slot name: letters, digits, `_`, `-`. */
const topicPrefixSchema = z.string().regex(/^[A-Za-z0-9_-]+$/, "only letters, digits, _ and - may be used")

/** Postgres's own rule for slot names. */
const slotNameSchema = z
  .string()
  .max(63)
  .regex(/^[a-z0-9_]+$/, "only lower-case letters, digits and _ may be used")

/** `.env.example` lists the same names. */
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

/** Settings as the environment holds them, parsed into what the operations take. */
export const connectorsConfig = connectorsEnvironment.transform(
  (env): ConnectorsConfig => ({
    connectUrl: env.CONNECT_URL,
    kafkaBrokers: env.KAFKA_BROKERS,
    adminUrl: env.COMMAND_ADMIN_URL,
    connectorName: env.CONNECTOR_NAME,
    topicPrefix: env.TOPIC_PREFIX,
    slotName: env.SLOT_NAME,
    databaseName: env.CONNECTOR_DATABASE_NAME,
  }),
)
