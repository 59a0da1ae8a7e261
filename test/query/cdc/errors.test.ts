// What is done about a thrown value: dependencies and conflicts are waited for, refused statements halt.
import { expect, test } from "vitest"
import { classifyError, EngineError } from "../../../query/cdc/errors.ts"

const sqlError = (code: string): Error => Object.assign(new Error(`refused with ${code}`), { code })

test.each([
  { thrown: sqlError("40001"), code: "apply-conflict", disposition: "retry", why: "serialization failure" },
  { thrown: sqlError("40P01"), code: "apply-conflict", disposition: "retry", why: "deadlock" },
  { thrown: sqlError("57P01"), code: "dependency-down", disposition: "retry", why: "backend terminated" },
  { thrown: sqlError("53300"), code: "dependency-down", disposition: "retry", why: "too many connections" },
  { thrown: sqlError("08006"), code: "dependency-down", disposition: "retry", why: "connection failure" },
  {
    thrown: sqlError("25006"),
    code: "dependency-down",
    disposition: "retry",
    why: "read-only after a failover",
  },
  { thrown: sqlError("23505"), code: "unexpected", disposition: "halt", why: "unique violation" },
  { thrown: sqlError("42P01"), code: "unexpected", disposition: "halt", why: "undefined table" },
  { thrown: sqlError("22P02"), code: "unexpected", disposition: "halt", why: "invalid text" },
  { thrown: sqlError("ECONNREFUSED"), code: "dependency-down", disposition: "retry", why: "no server" },
  { thrown: new Error("anything"), code: "unexpected", disposition: "retry", why: "an unknown fault" },
  { thrown: "a text", code: "unexpected", disposition: "retry", why: "what is no error" },
])("$why: $disposition as $code", ({ thrown, code, disposition }) => {
  const error = classifyError(thrown)
  expect(error).toMatchObject({ code, disposition })
  expect(error.cause).toBe(thrown)
  if (disposition === "halt") expect(error.nextStep).not.toBeNull()
})

test("an error of the engine stays what it is", () => {
  const error = new EngineError("halt", "truncate", "gone", { nextStep: "rebuild", detail: { table: "t" } })
  expect(classifyError(error)).toBe(error)
})
