// What is done about a thrown value: dependencies and conflicts are waited for, bad rows parked, refused statements
// halt.
import { expect, test } from "vitest"
import {
  classifyError,
  dispositions,
  EngineError,
  kafkaFault,
} from "../../../../query/cdc/vocabulary/errors.ts"

const sqlError = (code: string): Error => Object.assign(new Error(`refused with ${code}`), { code })

test.each([
  { thrown: sqlError("08006"), code: "dependency-down", why: "connection failure" },
  { thrown: sqlError("22P02"), code: "bad-row", why: "invalid text" },
  { thrown: sqlError("22003"), code: "bad-row", why: "a number out of range" },
  { thrown: sqlError("23505"), code: "bad-row", why: "unique violation" },
  { thrown: sqlError("25006"), code: "dependency-down", why: "read-only after a failover" },
  { thrown: sqlError("25P03"), code: "dependency-down", why: "ended for idling in a transaction" },
  { thrown: sqlError("25P04"), code: "dependency-down", why: "ended for taking too long" },
  { thrown: sqlError("25P02"), code: "unexpected", why: "a statement after a failed one" },
  { thrown: sqlError("25P01"), code: "refused-statement", why: "a savepoint without a transaction" },
  { thrown: sqlError("25001"), code: "refused-statement", why: "a statement in the wrong place" },
  { thrown: sqlError("28P01"), code: "misconfigured", why: "wrong password" },
  { thrown: sqlError("3D000"), code: "misconfigured", why: "no such database" },
  { thrown: sqlError("40001"), code: "apply-conflict", why: "serialization failure" },
  { thrown: sqlError("40P01"), code: "apply-conflict", why: "deadlock" },
  { thrown: sqlError("42501"), code: "misconfigured", why: "insufficient privilege" },
  { thrown: sqlError("42P01"), code: "refused-statement", why: "undefined table" },
  { thrown: sqlError("0A000"), code: "refused-statement", why: "an unlisted class" },
  { thrown: sqlError("44000"), code: "bad-row", why: "check option" },
  { thrown: sqlError("53100"), code: "dependency-down", why: "disk full" },
  { thrown: sqlError("53300"), code: "dependency-down", why: "too many connections" },
  { thrown: sqlError("54000"), code: "bad-row", why: "an index row too large" },
  { thrown: sqlError("55P03"), code: "dependency-down", why: "lock not available" },
  { thrown: sqlError("57014"), code: "dependency-down", why: "statement timeout" },
  { thrown: sqlError("57P01"), code: "dependency-down", why: "backend terminated" },
  { thrown: sqlError("58030"), code: "dependency-down", why: "I/O error" },
  { thrown: sqlError("P0001"), code: "bad-row", why: "raised by a trigger" },
  { thrown: sqlError("XX000"), code: "dependency-down", why: "internal error" },
  { thrown: sqlError("XX001"), code: "refused-statement", why: "data corrupted" },
  { thrown: sqlError("ECONNREFUSED"), code: "dependency-down", why: "no server" },
  { thrown: sqlError("EPIPE"), code: "dependency-down", why: "a broken pipe" },
  { thrown: new Error("Connection terminated"), code: "dependency-down", why: "a lost connection" },
  { thrown: new Error("timeout expired"), code: "dependency-down", why: "a connection not made in time" },
  { thrown: new DOMException("late", "TimeoutError"), code: "dependency-down", why: "a time limit" },
  { thrown: sqlError("ERR_OUT_OF_RANGE"), code: "unexpected", why: "a code that is no outage" },
  { thrown: sqlError("ENOENT"), code: "unexpected", why: "a file that is not there" },
  { thrown: new Error("no connection string"), code: "unexpected", why: "a message about a connection" },
  { thrown: new Error("anything"), code: "unexpected", why: "an unknown fault" },
  { thrown: "a text", code: "unexpected", why: "what is no error" },
] as const)("$why: $code", ({ thrown, code }) => {
  const error = classifyError(thrown)
  expect(error).toMatchObject({ code, disposition: dispositions[code] })
  expect(error.cause).toBe(thrown)
  if (error.disposition === "halt") expect(error.nextStep).not.toBeNull()
})

test("an error of the engine stays what it is", () => {
  const error = new EngineError("truncate", "gone", { nextStep: "rebuild", detail: { table: "t" } })
  expect(classifyError(error)).toBe(error)
})

test("only what waiting cures is retried, and a conflict is not taken for a bad row", () => {
  const coded = (wanted: string) =>
    Object.entries(dispositions)
      .filter(([, disposition]) => disposition === wanted)
      .map(([code]) => code)
      .sort()
  expect(coded("retry")).toEqual(["apply-conflict", "dependency-down", "unexpected"])
  expect(coded("dead-letter")).toEqual([
    "bad-row",
    "erased-since",
    "missing-stored-value",
    "redrive-too-early",
    "undecodable-record",
    "unknown-schema",
  ])
})

const kafkaError = (type: string): Error => Object.assign(new Error(type), { type })
const wrapped = (cause: Error): Error => Object.assign(new Error("gave up"), { originalError: cause })

test.each([
  { thrown: kafkaError("LEADER_NOT_AVAILABLE"), code: "dependency-down", why: "an election" },
  { thrown: kafkaError("UNKNOWN_TOPIC_OR_PARTITION"), code: "dependency-down", why: "a topic not there yet" },
  {
    thrown: kafkaError("MESSAGE_TOO_LARGE"),
    code: "dependency-down",
    why: "a record the topic does not take",
  },
  { thrown: new Error("Connection timeout"), code: "dependency-down", why: "no broker" },
  { thrown: kafkaError("TOPIC_AUTHORIZATION_FAILED"), code: "misconfigured", why: "no permission" },
  { thrown: kafkaError("SASL_AUTHENTICATION_FAILED"), code: "misconfigured", why: "a wrong password" },
  { thrown: kafkaError("UNSUPPORTED_VERSION"), code: "misconfigured", why: "a broker of another time" },
  {
    thrown: wrapped(new Error("retries", { cause: kafkaError("GROUP_AUTHORIZATION_FAILED") })),
    code: "misconfigured",
    why: "what the client has wrapped",
  },
] as const)("Kafka: $why is $code", ({ thrown, code }) => {
  const error = kafkaFault("Kafka says no.", thrown)
  expect(error).toMatchObject({ code, disposition: dispositions[code], cause: thrown })
  if (code === "misconfigured") expect(error.nextStep).toContain("restart")
})
