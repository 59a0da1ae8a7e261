// The command service's settings. Only this file of the service reads the environment. One error reports every fault,
// and the printed settings hide the password.
import { z } from "zod"

const environment = z.object({
  COMMAND_HOST: z.string().min(1).default("127.0.0.1"),
  COMMAND_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  COMMAND_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  SOURCE_NAME: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .default("orders"),
  COMMAND_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(1_000).default(20),
  IDEMPOTENCY_KEY_TTL_HOURS: z.coerce.number().int().min(1).max(8_760).default(24),
  RESERVATION_MINUTES: z.coerce.number().positive().max(525_600).default(60),
  SCHEDULE_SECONDS: z.coerce.number().positive().max(3_600).default(5),
  PAYMENT_ANSWER_SECONDS: z.coerce.number().positive().max(60).default(10),
  PAYMENT_RETRY_SECONDS: z.coerce.number().positive().max(3_600).default(30),
  LOG_LEVEL: z.enum(["silent", "fatal", "error", "warn", "info", "debug", "trace"]).default("info"),
})

export type Config = {
  host: string
  /** 0 takes a free port. */
  port: number
  databaseUrl: string
  /** Name of this database in tokens; the query service must use the same. */
  sourceName: string
  maxConnections: number
  idempotencyKeyTtlHours: number
  /** How long the stock of a confirmed order stays reserved while the order is not paid. */
  reservationMinutes: number
  /** About how long scheduled work pauses between two rounds. */
  scheduleSeconds: number
  /** How long the service waits for the payment provider's answer. */
  paymentAnswerSeconds: number
  /** Without an answer the service asks the provider again after this time, then after twice this time, and so on. */
  paymentRetrySeconds: number
  logLevel: z.infer<typeof environment>["LOG_LEVEL"]
}

/** Throws an error whose message lists every setting that is missing or wrong. */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const parsed = environment.safeParse(env)
  if (!parsed.success) {
    throw new Error(`the command service's settings are not usable:\n${z.prettifyError(parsed.error)}`)
  }
  return {
    host: parsed.data.COMMAND_HOST,
    port: parsed.data.COMMAND_PORT,
    databaseUrl: parsed.data.COMMAND_DATABASE_URL,
    sourceName: parsed.data.SOURCE_NAME,
    maxConnections: parsed.data.COMMAND_MAX_CONNECTIONS,
    idempotencyKeyTtlHours: parsed.data.IDEMPOTENCY_KEY_TTL_HOURS,
    reservationMinutes: parsed.data.RESERVATION_MINUTES,
    scheduleSeconds: parsed.data.SCHEDULE_SECONDS,
    paymentAnswerSeconds: parsed.data.PAYMENT_ANSWER_SECONDS,
    paymentRetrySeconds: parsed.data.PAYMENT_RETRY_SECONDS,
    logLevel: parsed.data.LOG_LEVEL,
  }
}

/** The settings for the log, without the password. */
export function describeConfig(config: Config): Record<string, unknown> {
  const url = new URL(config.databaseUrl)
  if (url.password !== "") url.password = "***"
  url.search = ""
  return { ...config, databaseUrl: url.href }
}
