// Builds the command service in the order of the flow and closes it in reverse. It starts without waiting for
// the database: until that answers, readiness is red and commands get 503.
import { pino } from "pino"
import { v7 as uuidv7 } from "uuid"
import type { CommandDatabase } from "../db/command-schema.ts"
import { createDatabase, createPool } from "../db/connect.ts"
import { createApp } from "./app.ts"
import { type Config, describeConfig } from "./config.ts"
import { createExecutor } from "./execute/execute.ts"
import { listen } from "./http/server.ts"
import { recordOutcome } from "./orders/http/record-outcome.ts"
import { createSandboxProvider } from "./payments/sandbox.ts"
import { createSettle } from "./payments/settle.ts"
import { createSchedules } from "./schedules.ts"
import { customerId, orderId, productId } from "./vocabulary/ids.ts"

const stopTimeoutMs = 10_000

/** Resolves when the port is open. `stop` finishes requests in flight, within a time limit, and closes the pool. */
export async function start(config: Config): Promise<{ url: string; stop: () => Promise<void> }> {
  const logger = pino({ level: config.logLevel, base: { service: "command" } })
  const pool = createPool({
    url: config.databaseUrl,
    applicationName: "lockstep-command",
    maxConnections: config.maxConnections,
    // A command takes milliseconds. A command that takes seconds waits for a lock or for a server that is not there.
    statementTimeoutMs: 5_000,
    answerLimitMs: 7_000,
    idleTransactionLimitMs: 10_000,
    onIdleError: (error) => logger.warn({ err: error }, "a database connection was lost"),
  })
  const db = createDatabase<CommandDatabase>(pool)
  let stopping = false
  const now = () => new Date()
  const executor = createExecutor({ db, source: config.sourceName, logger })
  const provider = createSandboxProvider(db)
  const answerLimitMs = config.paymentAnswerSeconds * 1_000
  const holdMs = answerLimitMs + config.paymentRetrySeconds * 1_000
  const settle = createSettle({ provider, executor, recordOutcome, now, answerLimitMs, logger })
  const app = createApp({
    db,
    executor,
    settle,
    providerName: provider.name,
    holdMs,
    now,
    newOrderId: () => orderId.parse(`order-${uuidv7()}`),
    newCustomerId: () => customerId.parse(`customer-${uuidv7()}`),
    newDiscountId: () => `discount-${uuidv7()}`,
    newShippingRuleId: () => `shipping-rule-${uuidv7()}`,
    newProductId: () => productId.parse(`product-${uuidv7()}`),
    reservationMs: config.reservationMinutes * 60_000,
    isStopping: () => stopping,
    logger,
  })
  const schedules = createSchedules({
    db,
    settle,
    now,
    pauseMs: config.scheduleSeconds * 1_000,
    holdMs,
    keyTtlHours: config.idempotencyKeyTtlHours,
    logger,
  })
  let server: Awaited<ReturnType<typeof listen>>
  try {
    server = await listen({ fetch: app.fetch, host: config.host, port: config.port })
  } catch (error) {
    await schedules.stop()
    await db.destroy()
    throw error
  }
  logger.info({ url: server.url, config: describeConfig(config) }, "taking commands")

  async function stop(): Promise<void> {
    stopping = true
    await server.stop(stopTimeoutMs)
    await schedules.stop()
    await db.destroy()
    logger.info("stopped")
  }

  let stopped: Promise<void> | undefined
  return {
    url: server.url,
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}
