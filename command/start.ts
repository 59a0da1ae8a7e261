// Builds the command service in the order of the flow and closes it in reverse. It starts without waiting for
// the database: until that answers, readiness is red and commands get 503.
import { pino } from "pino"
import { v7 as uuidv7 } from "uuid"
import type { CommandDatabase } from "../db/command-schema.ts"
import { createDatabase, createPool } from "../db/connect.ts"
import { createApp } from "./app.ts"
import { type Config, describeConfig } from "./config.ts"
import { createExecute } from "./execute.ts"
import { listen } from "./http/server.ts"
import { customerId, orderId, productId } from "./ids.ts"
import { createKeyPurge } from "./key-purge.ts"

const stopTimeoutMs = 10_000

/** Resolves when the port is open. `stop` finishes what is in flight, within a time limit, and closes the pool. */
export async function start(config: Config): Promise<{ url: string; stop: () => Promise<void> }> {
  const logger = pino({ level: config.logLevel, base: { service: "command" } })
  const pool = createPool({
    url: config.databaseUrl,
    applicationName: "lockstep-command",
    maxConnections: config.maxConnections,
    // A command takes milliseconds. What takes seconds waits for a lock or for a server that is not there.
    statementTimeoutMs: 5_000,
    answerLimitMs: 7_000,
    idleTransactionLimitMs: 10_000,
    onIdleError: (error) => logger.warn({ err: error }, "a database connection was lost"),
  })
  const db = createDatabase<CommandDatabase>(pool)
  let stopping = false
  const app = createApp({
    db,
    execute: createExecute({ db, source: config.sourceName, logger }),
    now: () => new Date(),
    newOrderId: () => orderId.parse(`order-${uuidv7()}`),
    newCustomerId: () => customerId.parse(`customer-${uuidv7()}`),
    newProductId: () => productId.parse(`product-${uuidv7()}`),
    reservationMs: config.reservationMinutes * 60_000,
    isStopping: () => stopping,
    logger,
  })
  const purge = createKeyPurge({
    db,
    ttlHours: config.idempotencyKeyTtlHours,
    random: Math.random,
    logger,
  })
  let server: Awaited<ReturnType<typeof listen>>
  try {
    server = await listen({ fetch: app.fetch, host: config.host, port: config.port })
  } catch (error) {
    await purge.stop()
    await db.destroy()
    throw error
  }
  logger.info({ url: server.url, config: describeConfig(config) }, "taking commands")

  async function stop(): Promise<void> {
    stopping = true
    await server.stop(stopTimeoutMs)
    await purge.stop()
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
