// What was parked is redriven: in whatever order and however much came after, every row, guard and sum is then as if
// nothing had been parked, or the change says that it cannot be and stays.
// One file: the histories are the examples of the property before them, and are judged by the same functions.
import fc from "fast-check"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { type DataRecord, type Transaction, unavailable } from "../../../../query/cdc/vocabulary/change.ts"
import { type Choices, choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import { givenGeneration, remove, transaction, upsert, type Values } from "../given/generation.ts"
import { createParkedHistory, numbered, type ParkedHistory, type Step } from "../given/parked-history.ts"
import { everythingIn, thingProjections, things, writeHistory } from "../given/things.ts"

const generation = givenGeneration("redrive", thingProjections)
let parked: ParkedHistory
beforeAll(async () => {
  parked = createParkedHistory(generation)
})
beforeEach(async () => {
  await parked.refuse(null)
  await parked.empty()
})

/** What the history leaves when nothing is refused. */
async function wholeOf(history: readonly Transaction[]): Promise<unknown[]> {
  for (const one of history) await parked.apply({ transactions: [one] })
  const whole = await everythingIn(generation)
  await parked.empty()
  return whole
}

/** Groups whose sums are not those of the rows. */
async function wrongSums(): Promise<unknown[]> {
  const [model] = thingProjections.derived
  const { rows } = await generation.admin.query(
    `select * from ${generation.schema}.amounts full join (${model?.contribution(generation.schema, null)}) rows
       using (owner, things, amount)
     where amounts.ctid is null or rows.owner is null`,
  )
  return rows
}

test("whatever is refused, redriven later it leaves all as if nothing had been", async () => {
  let entries = 0
  let left = 0
  let compared = 0
  await fc.assert(
    fc.asyncProperty(tapes(400), async (tape) => {
      const choices = choicesFrom(tape)
      const refusal = `${choices.pick(2) ? "kafka_offset" : "amount"} % ${2 + choices.pick(4)} = ${choices.pick(2)}`
      const size = 1 + choices.pick(12)
      const mayLose = choices.pick(2) === 1
      const isMixedUp = choices.pick(3) === 1
      const history = numbered(writeHistory(choices, { movesKeys: mayLose }))
      await parked.refuse(null)
      await parked.empty()
      const whole = await wholeOf(history)
      for (const step of stepsOf(history, size, choices, mayLose)) {
        await parked.refuse(refusal)
        await parked.apply({ ...step, ...(isMixedUp ? { standIns: anyOf(choices) } : {}) })
        await parked.refuse(null)
        if (choices.pick(4) === 1) await parked.redriveSome(() => choices.pick(2) === 1)
      }
      await parked.settle()
      const isInOrder = choices.pick(2) === 0
      const stuck = await parked.redriveAll((ids) => (isInOrder ? ids : shuffled(ids, choices)))
      const { rows } = await generation.admin.query("select from cdc.dead_letters")
      entries += rows.length
      left += stuck.length
      expect(await wrongSums()).toEqual([])
      if (stuck.length === 0) {
        compared++
        expect(await everythingIn(generation)).toEqual(whole)
      }
      // A value is lost when a changed key took it from a row that is gone, or the row is not known. How many are has
      // no bound but that: it is as many as there are such changes.
      if (!mayLose) expect(stuck).toEqual([])
    }),
    { ...propertyRuns("parked and redriven", 40), endOnFailure: true },
  )
  console.info(`${entries} parked, ${left} left for a rebuild, ${compared} histories whole again`)
  expect(entries).toBeGreaterThan(20)
})

function stepsOf(
  history: readonly Transaction[],
  size: number,
  choices: Choices,
  mayHideKeys: boolean,
): Step[] {
  const steps: { transactions: Transaction[]; unreadable: NonNullable<Step["unreadable"]>[number][] }[] = []
  for (const one of history) {
    const last = steps.at(-1)
    const step = last && last.transactions.length < size ? last : { transactions: [], unreadable: [] }
    if (step !== last) steps.push(step)
    step.transactions.push(one)
    for (const record of one.records) {
      if (choices.pick(8) !== 1) continue
      // Some are read a step before their transaction is whole.
      const readWith = choices.pick(2) ? (steps.at(-2) ?? step) : step
      readWith.unreadable.push({ record, isKeyKnown: !mayHideKeys || choices.pick(6) !== 1 })
    }
  }
  return steps.map((step) => ({ ...step, isStaged: choices.pick(5) === 1 }))
}

/** Records that cannot be read show nothing but their table: whichever is taken for whichever. */
const anyOf =
  (choices: Choices): NonNullable<Step["standIns"]> =>
  (open, missing) => {
    const left = [...open]
    return missing.flatMap(({ change: { table } }) => {
      const alike = left.filter(({ change }) => change.table === table)
      const [taken] = alike.splice(choices.pick(alike.length), 1)
      if (taken) left.splice(left.indexOf(taken), 1)
      return taken ? [taken] : []
    })
  }

function shuffled<Item>(items: readonly Item[], choices: Choices): Item[] {
  const left = [...items]
  const result: Item[] = []
  while (left.length > 0) result.push(...left.splice(choices.pick(left.length), 1))
  return result
}

describe("histories", () => {
  const full = { id: "a", owner: "o1", note: "first", amount: 1n }
  const unsent: Values = { ...full, note: unavailable }
  const late: Values = { ...full, note: "late" }

  /**
   * Each list of records is a transaction, and those at the given numbers are refused. All are redriven in the order of
   * history, or in the given one.
   * @returns what came of each, by its number; the rows are as if none had been refused, unless one failed.
   */
  async function redriven(
    lists: readonly (readonly DataRecord[])[],
    refused: readonly number[],
    order: readonly number[] = refused,
  ): Promise<string[]> {
    const history = numbered(lists.map((records, index) => transaction(100 * (index + 1), records)))
    const whole = await wholeOf(history)
    await parked.refuse(`kafka_offset in (${refused.join(", ")})`)
    for (const one of history) await parked.apply({ transactions: [one] })
    await parked.refuse(null)
    const { rows } = await generation.admin.query<{ id: bigint; kafka_offset: number }>(
      "select id::text, kafka_offset::integer from cdc.dead_letters order by id",
    )
    expect(rows.map(({ kafka_offset }) => kafka_offset)).toEqual(expect.arrayContaining([...refused]))
    const outcomes: string[] = []
    for (const number of order) {
      const id = rows.find((row) => row.kafka_offset === number)?.id
      const outcome = await parked.redriveOne(BigInt(id ?? 0))
      outcomes.push(typeof outcome === "object" ? (outcome?.code ?? "settled") : outcome)
    }
    const isWhole = !outcomes.some((outcome) => outcome === "missing-stored-value")
    if (isWhole) expect(await everythingIn(generation)).toEqual(whole)
    expect(await wrongSums()).toEqual([])
    return outcomes
  }

  test("what a late redrive notes does not hide what a newer change carried", async () => {
    const change = (at: number, owner: string) => [upsert(things, at, { ...full, owner })]
    const lists = [change(1, "o1"), change(110, "o2"), change(210, "o3"), change(310, "o4")]
    expect(await redriven(lists, [2, 3])).toEqual(["superseded", "superseded"])
  })

  test("in any order, each puts in what no later one carried", async () => {
    const lists = [
      [upsert(things, 1, full)],
      [upsert(things, 110, late)],
      [upsert(things, 210, { ...unsent, owner: "o2" })],
      [upsert(things, 310, { ...unsent, owner: unavailable, amount: 4n })],
    ]
    expect(await redriven(lists, [2, 3], [3, 2])).toEqual(["merged", "merged"])
    await parked.empty()
    expect(await redriven(lists, [2, 3, 4], [4, 2, 3])).toEqual(["applied", "merged", "merged"])
  })

  test("a change of a row that was deleted since needs no value", async () => {
    const lists = [[upsert(things, 1, full)], [upsert(things, 110, unsent)], [remove(things, 210, "a")]]
    expect(await redriven(lists, [2])).toEqual(["superseded"])
  })

  test("a value that went with a changed key is not taken for one that was replaced", async () => {
    const moved = [upsert(things, 210, { ...unsent, id: "b" }, "c"), remove(things, 210, "a")]
    const lists = [[upsert(things, 1, full)], [upsert(things, 110, late)], moved]
    expect(await redriven(lists, [2])).toEqual(["missing-stored-value"])
    await parked.empty()
    const again = [upsert(things, 310, { ...full, amount: 9n })]
    expect(await redriven([...lists, again], [2])).toEqual(["missing-stored-value"])
  })

  test("a row that another one becomes has that one's values", async () => {
    const lists = [
      [upsert(things, 1, { ...full, id: "b", note: "of b" })],
      [upsert(things, 110, full)],
      [upsert(things, 210, { ...unsent, id: "c" }, "c"), remove(things, 210, "a")],
      [upsert(things, 310, { ...unsent, id: "a" }, "c"), remove(things, 310, "b")],
      [upsert(things, 410, { ...full, id: "c" })],
    ]
    expect(await redriven(lists, [2, 3])).toEqual(["superseded", "superseded"])
  })

  test("a changed key waits for what is parked of the row that it takes values from", async () => {
    const moved = [upsert(things, 210, { ...unsent, id: "b" }, "c"), remove(things, 210, "a")]
    const lists = [[upsert(things, 1, full)], [upsert(things, 110, late)], moved]
    expect(await redriven(lists, [2, 3], [3, 2, 3])).toEqual(["redrive-too-early", "applied", "applied"])
  })

  test("both halves of a changed primary key are parked, and redriven as one", async () => {
    const moved = [upsert(things, 110, { ...unsent, id: "b" }, "c"), remove(things, 110, "a")]
    const lists = [[upsert(things, 1, full)], moved]
    expect(await redriven(lists, [2], [2, 3])).toEqual(["applied", "settled"])
    const { rows } = await generation.admin.query("select row_key from cdc.dead_letters order by id")
    expect(rows).toEqual([{ row_key: ["b"] }, { row_key: ["a"] }])
  })

  test("of a changed key one half may have moved on and the other not", async () => {
    const lists = [
      [upsert(things, 1, full)],
      [upsert(things, 110, { ...unsent, id: "b" }, "c"), remove(things, 110, "a")],
      [upsert(things, 210, { ...full, id: "b", note: "its own" })],
    ]
    expect(await redriven(lists, [2])).toEqual(["applied"])
  })

  test("a value of a row that has been replaced since is missed, and only where it is needed", async () => {
    const moved = [upsert(things, 110, { ...unsent, id: "b" }, "c"), remove(things, 110, "a")]
    const replaced = [upsert(things, 210, { ...full, note: "another" })]
    const lists = [[upsert(things, 1, full)], moved, replaced]
    expect(await redriven(lists, [2])).toEqual(["missing-stored-value"])
    await parked.empty()
    expect(await redriven([...lists, [upsert(things, 310, { ...full, id: "b" })]], [2])).toEqual([
      "superseded",
    ])
  })

  test("a transaction that was staged notes what came after a change that it parks", async () => {
    const history = numbered([
      transaction(100, [upsert(things, 1, full)]),
      transaction(200, [upsert(things, 110, late), upsert(things, 120, { ...full, note: "newest" })]),
    ])
    const whole = await wholeOf(history)
    const [first, second] = history
    const [record] = second?.records ?? []
    if (!first || !second || !record) throw new Error("the history is empty")
    await parked.apply({ transactions: [first] })
    await parked.apply({
      transactions: [second],
      unreadable: [{ record, isKeyKnown: true }],
      isStaged: true,
    })
    expect(await parked.redriveAll()).toEqual([])
    expect(await everythingIn(generation)).toEqual(whole)
  })

  test("a record that was read ahead waits for its transaction", async () => {
    const history = numbered([
      transaction(100, [upsert(things, 1, full)]),
      transaction(200, [upsert(things, 110, late)]),
    ])
    const whole = await wholeOf(history)
    const [first, second] = history
    const [record] = second?.records ?? []
    if (!first || !second || !record) throw new Error("the history is empty")
    await parked.apply({ transactions: [first], unreadable: [{ record, isKeyKnown: true }] })
    const before = await everythingIn(generation)
    expect(await parked.redriveAll()).toHaveLength(1)
    expect(await everythingIn(generation)).toEqual(before)
    await parked.apply({ transactions: [second] })
    expect(await parked.redriveAll()).toEqual([])
    expect(await everythingIn(generation)).toEqual(whole)
  })

  describe("of which one that cannot be read was taken for another", () => {
    const lists = [
      [upsert(things, 1, full)],
      [upsert(things, 110, late)],
      [upsert(things, 210, { ...full, note: "newest" })],
      [upsert(things, 310, { ...full, id: "b" })],
      [upsert(things, 410, { ...full, id: "c" })],
    ]

    /** The change of the second transaction stands for that of the fourth, and the other way around. */
    async function applySwapped(upTo: number): Promise<unknown[]> {
      const history = numbered(lists.map((records, index) => transaction(100 * (index + 1), records)))
      const whole = await wholeOf(history)
      const [older, newer] = [history[1]?.records[0], history[3]?.records[0]]
      if (!older || !newer) throw new Error("the history is empty")
      const unreadable = [newer, older].map((record) => ({ record, isKeyKnown: true }))
      await parked.apply({ transactions: history.slice(0, 1), unreadable })
      const standIns: Step["standIns"] = (open, missing) => open.slice(0, missing.length)
      await parked.apply({ transactions: history.slice(1, upTo), standIns })
      return whole
    }

    test("each is put where it belongs", async () => {
      const whole = await applySwapped(5)
      expect(await parked.redriveAll()).toEqual([])
      expect(await everythingIn(generation)).toEqual(whole)
    })

    test("each waits for the transaction that it is of", async () => {
      const whole = await applySwapped(3)
      const before = await everythingIn(generation)
      expect(await parked.redriveAll()).toHaveLength(2)
      expect(await everythingIn(generation)).toEqual(before)
      expect(whole).not.toEqual(before)
    })
  })
})
