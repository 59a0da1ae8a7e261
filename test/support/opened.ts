// What tests run against (a service, a database, a whole system), opened before the tests of a file and closed after
// them. Nothing is closed that could not be opened, so a set-up that fails is the only failure that is told.
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest"

/** @returns the thing, once tests run; asked for before, it throws. */
export const openedForFile = <Thing>(
  open: () => Promise<Thing> | Thing,
  close: (thing: Thing) => unknown,
): (() => Thing) => opened(beforeAll, afterAll, open, close)

/** The same with a thing of its own for every test. */
export const openedForEachTest = <Thing>(
  open: () => Promise<Thing> | Thing,
  close: (thing: Thing) => unknown,
): (() => Thing) => opened(beforeEach, afterEach, open, close)

type Hook = (work: () => Promise<void>) => void

function opened<Thing>(
  before: Hook,
  after: Hook,
  open: () => Promise<Thing> | Thing,
  close: (thing: Thing) => unknown,
): () => Thing {
  let held: { thing: Thing } | null = null
  before(async () => {
    held = { thing: await open() }
  })
  after(async () => {
    if (held === null) return
    const { thing } = held
    held = null
    await close(thing)
  })
  return () => {
    if (held === null) throw new Error("it is open only while tests run")
    return held.thing
  }
}
