import { expect, test } from "vitest"
import { summarizeTrace } from "../../connectors/refusal.ts"

test("a worker's trace is cut to the exceptions and their causes", () => {
  const trace = [
    "io.debezium.DebeziumException: Creation of replication slot failed",
    "\tat io.debezium.Something.start(Something.java:10)",
    "\t... 14 more",
    "Caused by: org.postgresql.util.PSQLException: ERROR: permission denied",
    "\tat org.postgresql.Driver.connect(Driver.java:1)",
    "",
  ].join("\n")
  expect(summarizeTrace(trace)).toBe(
    "io.debezium.DebeziumException: Creation of replication slot failed\n" +
      "Caused by: org.postgresql.util.PSQLException: ERROR: permission denied",
  )
})
