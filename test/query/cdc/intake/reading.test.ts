// Which record of a partition is taken next, whatever the client delivers.
import { expect, test } from "vitest"
import { Pauses } from "../../../../query/cdc/intake/pauses.ts"
import { Reading } from "../../../../query/cdc/intake/reading.ts"

test("older records are passed over, the expected one is taken, and a gap is never jumped", () => {
  const reading = new Reading()
  reading.begin(new Map([["t/0", 7n]]))
  expect([5n, 6n, 7n, 8n].map((offset) => reading.judge("t/0", offset))).toEqual([
    "older",
    "older",
    "next",
    "ahead",
  ])
  reading.advance("t/0")
  expect(reading.judge("t/0", 8n)).toBe("next")
  expect(reading.next()).toEqual(new Map([["t/0", 8n]]))
})

test("a partition that is not named is read from its first record", () => {
  const reading = new Reading()
  reading.begin(new Map())
  expect(reading.judge("t/3", 0n)).toBe("next")
})

test("no session is taken for another: each begin and each end makes a new one", () => {
  const reading = new Reading()
  expect(reading.session()).toBeNull()
  reading.begin(new Map([["t/0", 7n]]))
  const first = reading.session()
  reading.end()
  expect(reading.session()).toBeNull()
  expect(reading.next()).toEqual(new Map())
  reading.begin(new Map([["t/0", 7n]]))
  expect(reading.session()).not.toBe(first)
})

test("the reader of the topics is told only what has changed", () => {
  const pauses = new Pauses()
  expect(pauses.takeChanges()).toBeNull()
  pauses.pause("t/0")
  pauses.pause("t/1")
  pauses.pause("t/0")
  expect(pauses.takeChanges()).toEqual({ pause: ["t/0", "t/1"], resume: [] })
  expect(pauses.takeChanges()).toBeNull()
  pauses.resumeWhere((partition) => partition === "t/0")
  pauses.pause("t/2")
  expect(pauses.takeChanges()).toEqual({ pause: ["t/2"], resume: ["t/0"] })
})

test("a partition that went on before anybody was told to pause it is not mentioned", () => {
  const pauses = new Pauses()
  pauses.pause("t/0")
  pauses.resumeAll()
  expect(pauses.takeChanges()).toBeNull()
})
