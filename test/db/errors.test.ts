// What an error of Postgres or of the way to it means, by its code. Each row is an error and every answer about it; a
// service answers 503 where it is `unavailable`, and the engine has its own table of what it does about each fault.
import pg from "pg"
import { expect, test } from "vitest"
import {
  constraintOf,
  isBrokenConnection,
  isCatalogConflict,
  isConflict,
  isUnavailable,
  isUnreachable,
  postgresFaultOf,
  sqlStateOf,
} from "../../db/errors.ts"

const said = (code: string, message = `refused with ${code}`) => {
  const error = new pg.DatabaseError(message, message.length, "error")
  error.code = code
  return error
}
const system = (code: unknown, message = `connect ${String(code)}`) =>
  Object.assign(new Error(message), { code })

const connecting = (code: string) => Object.assign(system(code), { syscall: "connect" })

const states: [sqlState: string, fault: string, unavailable: boolean, more?: string][] = [
  ["08000", "unavailable", true],
  ["08003", "unavailable", true, "broken"],
  ["08006", "unavailable", true, "broken"],
  ["08P01", "unavailable", true],
  ["0A000", "bad-statement", false],
  ["22003", "bad-value", false],
  ["22P02", "bad-value", false],
  ["23503", "bad-value", false],
  ["23505", "bad-value", false],
  ["25001", "bad-statement", false],
  ["25006", "unavailable", true],
  ["25P01", "bad-statement", false],
  ["25P02", "failed-before", false],
  ["25P03", "unavailable", true],
  ["25P04", "unavailable", true],
  ["28000", "no-access", true],
  ["28P01", "no-access", true],
  ["3D000", "no-access", true],
  ["3F000", "bad-statement", false],
  ["40000", "conflict", true],
  ["40001", "conflict", true, "conflict"],
  ["40003", "conflict", true],
  ["40P01", "conflict", true, "conflict"],
  ["42501", "no-permission", false],
  ["42P01", "bad-statement", false],
  ["44000", "bad-value", false],
  ["53100", "unavailable", true],
  ["53300", "unavailable", true],
  ["54000", "bad-value", false],
  ["55000", "unavailable", true],
  ["55P03", "unavailable", true],
  ["57014", "unavailable", true],
  ["57P01", "unavailable", true, "broken"],
  ["57P02", "unavailable", true, "broken"],
  ["57P03", "unavailable", true],
  ["57P05", "unavailable", true, "broken"],
  ["58030", "unavailable", true],
  ["P0001", "bad-value", false],
  ["XX000", "server-fault", false],
  ["XX001", "damaged", false],
  ["XX002", "damaged", false],
]

test.each(states)("%s is %s", (sqlState, fault, unavailable, more) => {
  const error = said(sqlState)
  expect({
    sqlState: sqlStateOf(error),
    fault: postgresFaultOf(error),
    unavailable: isUnavailable(error),
    conflict: isConflict(error),
    broken: isBrokenConnection(error),
    unreachable: isUnreachable(error),
  }).toEqual({
    sqlState,
    fault,
    unavailable,
    conflict: more === "conflict",
    broken: more === "broken",
    unreachable: false,
  })
})

const others: [what: string, error: unknown, unreachable: boolean, broken?: "broken"][] = [
  ["a server that is off", system("ECONNREFUSED"), true],
  ["a connection that was reset", system("ECONNRESET"), true, "broken"],
  ["a broken pipe", system("EPIPE", "write EPIPE"), true, "broken"],
  ["a statement without an answer", system("ETIMEDOUT"), true],
  ["an address without a route", system("EHOSTUNREACH"), true],
  ["a name that does not resolve", system("ENOTFOUND"), true],
  ["a resolver that does not answer", system("EAI_AGAIN"), true],
  ["a socket file that is not there", connecting("ENOENT"), true],
  ["a machine without a free port", connecting("EADDRNOTAVAIL"), true],
  ["a connection broken on purpose", system("ECONNABORTED"), true],
  ["a connection that ended", new Error("Connection terminated"), true, "broken"],
  ["a connection that ended by itself", new Error("Connection terminated unexpectedly"), true, "broken"],
  [
    "a client whose connection ended before",
    new Error("Client has encountered a connection error and is not queryable"),
    true,
    "broken",
  ],
  ["a client that was closed", new Error("Client was closed and is not queryable"), true, "broken"],
  ["a connection not made in time", new Error("timeout expired"), true],
  ["a connection that the pool gave up", new Error("Connection terminated due to connection timeout"), true],
  ["a pool without a free connection", new Error("timeout exceeded when trying to connect"), true],
  ["a pool that was closed", new Error("Cannot use a pool after calling end on the pool"), true],
  ["a driver that was closed", new Error("driver has already been destroyed"), true],
  ["a fault of Node itself", system("ERR_INVALID_ARG_TYPE"), false],
  ["a buffer read past its end", system("ERR_OUT_OF_RANGE"), false],
  ["a file that may not be read", system("EACCES"), false],
  ["a file that is not there", system("ENOENT"), false],
  ["an address that is not this machine's", system("EADDRNOTAVAIL"), false],
  ["a number for a code", system(23), false],
  ["a message that only speaks of a connection", new Error("no connection string was given"), false],
  ["a fault of ours", new TypeError("x is not a function"), false],
  ["a text", "Connection terminated", false],
  ["nothing", undefined, false],
]

test.each(others)("%s", (_, error, unreachable, broken) => {
  expect(isUnreachable(error)).toBe(unreachable)
  expect(isUnavailable(error)).toBe(unreachable)
  expect(isBrokenConnection(error)).toBe(broken === "broken")
  expect(isConflict(error)).toBe(false)
  expect(sqlStateOf(error)).toBeNull()
  expect(postgresFaultOf(error)).toBeNull()
})

test("the message of an error that has a code is never read", () => {
  expect(isUnavailable(said("42P01", "Connection terminated"))).toBe(false)
  expect(isUnavailable(system("ERR_ASSERTION", "Connection terminated"))).toBe(false)
})

test("a violated constraint is named", () => {
  const violation = said("23505")
  expect(constraintOf(violation)).toBeNull()
  violation.constraint = "products_pkey"
  expect(constraintOf(violation)).toBe("products_pkey")
  expect(constraintOf(Object.assign(new Error("mine"), { constraint: "products_pkey" }))).toBeNull()
})

test("only Postgres' own words tell two sessions at one row of the catalogue from other internal errors", () => {
  expect(isCatalogConflict(said("XX000", "tuple concurrently updated"))).toBe(true)
  expect(isCatalogConflict(said("XX000", "cache lookup failed"))).toBe(false)
  expect(isCatalogConflict(new Error("tuple concurrently updated"))).toBe(false)
})
