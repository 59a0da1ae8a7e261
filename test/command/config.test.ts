import { describe, expect, test } from "vitest"
import { describeConfig, loadConfig } from "../../command/config.ts"

const databaseUrl = "postgres://command_app:very-secret@127.0.0.1:5432/orders"

describe("the command service's settings", () => {
  test("have defaults for everything but the database", () => {
    expect(loadConfig({ COMMAND_DATABASE_URL: databaseUrl })).toEqual({
      host: "127.0.0.1",
      port: 8080,
      sourceName: "orders",
      databaseUrl,
      maxConnections: 20,
      idempotencyKeyTtlHours: 24,
      reservationMinutes: 60,
      scheduleSeconds: 5,
      paymentAnswerSeconds: 10,
      paymentRetrySeconds: 30,
      logLevel: "info",
    })
  })

  test("report every fault at once", () => {
    const load = () => loadConfig({ COMMAND_PORT: "no", LOG_LEVEL: "loud" })
    expect(load).toThrow(/COMMAND_PORT.*COMMAND_DATABASE_URL.*LOG_LEVEL/s)
  })

  test("are printed without the password", () => {
    const printed = JSON.stringify(describeConfig(loadConfig({ COMMAND_DATABASE_URL: databaseUrl })))
    expect(printed).toContain("command_app:***@127.0.0.1")
    expect(printed).not.toContain("very-secret")
  })
})
