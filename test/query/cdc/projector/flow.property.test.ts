// Whatever order partitions are read in, wherever the connector crashes and from whatever offset it sends again, however
// little memory there is, wherever a client delivers older batches or jumps ahead, and however often the projector
// restarts: the transactions that the flow hands out are the source's, each whole, each once, in commit order, and all
// of them. And a loss from the topics is noticed, not passed over. The flow is the one that the product drives.
import fc from "fast-check"
import { expect, test } from "vitest"
import { headShare, type Limits } from "../../../../query/cdc/assemble/back-pressure.ts"
import { EngineError } from "../../../../query/cdc/vocabulary/errors.ts"
import { toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import { type Choices, choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import {
  createSimulatedConnector,
  type Removal,
  type SimulatedConnector,
} from "../given/simulated-connector.ts"
import { createSimulatedReader, type SimulatedReader } from "../given/simulated-reader.ts"
import {
  genesis,
  identityOf,
  readRows,
  type SourceTransaction,
  writeHistory,
} from "../given/simulated-source.ts"

/** What a record of the simulation takes in memory. */
const recordBytes = 701
const partitions = 6

const ample: Limits = { pendingBytes: 1e9, pendingEnds: 1e9 }

/** Half of the runs have hardly any memory. */
const chooseLimits = (choices: Choices): Limits =>
  choices.pick(2) === 0
    ? ample
    : { pendingBytes: choices.pick(8) * recordBytes, pendingEnds: choices.pick(4) }

type Story = {
  /** The source's transactions after the base, in commit order. */
  expected: SourceTransaction[]
  connector: SimulatedConnector
  reader: SimulatedReader
  limits: Limits
  /** What the assembler halted with, if it did. */
  halt: EngineError | null
}

type ChooseRemoval = (expected: readonly SourceTransaction[], pick: (options: number) => number) => Removal

function play(tape: Uint16Array, chooseRemoval?: ChooseRemoval): Story {
  const choices = choicesFrom(tape)
  const history = writeHistory(choices)
  const baseLsn = choices.pick(3) === 2 ? toLsn(genesis + BigInt(choices.pick(100))) : toLsn(0n)
  const expected = history.filter(({ commitLsn }) => commitLsn > baseLsn)
  const removal = chooseRemoval?.(expected, choices.pick) ?? null
  const connector = createSimulatedConnector(history, choices, removal)
  const limits = chooseLimits(choices)
  const reader = createSimulatedReader(connector, { choices, baseLsn, limits })
  const story: Story = { expected, connector, reader, limits, halt: null }
  try {
    while (!choices.isOver()) {
      if (choices.pick(3) === 0) connector.step()
      else reader.step()
    }
    connector.finish()
    reader.drain()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    story.halt = error
  }
  return story
}

const told = (xid: string, commitLsn: bigint, identities: readonly string[]): string =>
  `${xid}@${commitLsn} ${[...new Set(identities)].sort().join(" ")}`

const sourceStory = (transactions: readonly SourceTransaction[]): string[] =>
  transactions.map((transaction) =>
    told(transaction.xid, transaction.commitLsn, readRows(transaction).map(identityOf)),
  )

const readStory = ({ applied }: SimulatedReader): string[] =>
  applied.map(({ xid, commitLsn, records }) =>
    told(
      xid,
      commitLsn,
      records.map(({ identity }) => identity),
    ),
  )

/** Whether a crash of the connector lies inside a transaction, as far as the topics tell. */
function isDisturbed({ topics }: SimulatedConnector, xid: string): boolean {
  const begins = topics.log.filter((entry) => entry.status === "BEGIN" && entry.xid === xid)
  const runs = new Set(
    [...topics.data.values()].flat().flatMap((one) => (one.xid === xid ? [one.runId] : [])),
  )
  return begins.length !== 1 || runs.size > 1
}

test("what is released is the source's history, whole, once, in order and to its end", () => {
  let disturbed = 0
  let staged = 0
  let prepared = 0
  let bounded = 0
  fc.assert(
    fc.property(tapes(500), (tape) => {
      const { expected, connector, reader, limits, halt } = play(tape)
      if (halt) throw halt
      expect(readStory(reader)).toEqual(sourceStory(expected))
      for (const { records } of reader.applied) {
        for (const [index, record] of records.entries()) {
          expect(record.lsn >= (records[index - 1]?.lsn ?? 0n)).toBe(true)
        }
      }
      // The head may fill half as much again, and a partition pauses with the record that is one too many.
      expect(reader.highestBytes()).toBeLessThanOrEqual(
        limits.pendingBytes * (1 + headShare) + 2 * partitions * recordBytes,
      )
      staged += reader.staged()
      prepared += reader.prepared()
      if (limits !== ample && reader.highestBytes() > 0) bounded++
      if (expected.some(({ xid }) => isDisturbed(connector, xid))) disturbed++
    }),
    propertyRuns("released transactions", 3_000),
  )
  expect(disturbed, "no crash fell inside a transaction").toBeGreaterThan(0)
  expect(staged, "no transaction was too large for memory").toBeGreaterThan(0)
  expect(prepared, "no batch was gathered while another was applied").toBeGreaterThan(0)
  expect(bounded, "memory was not judged").toBeGreaterThan(0)
})

test("a row that no partition holds is noticed, and its transaction is not released", () => {
  let noticed = 0
  fc.assert(
    fc.property(tapes(500), (tape) => {
      let victim: SourceTransaction | undefined
      const { expected, connector, reader, halt } = play(tape, (transactions, pick) => {
        const candidates = transactions.filter((transaction) => readRows(transaction).length > 0)
        victim = candidates[pick(candidates.length)]
        const rows = victim ? readRows(victim) : []
        const row = rows[pick(rows.length)]
        return { xid: victim?.xid ?? "", identity: row ? identityOf(row) : "" }
      })
      fc.pre(victim !== undefined)
      // What a crash inside a transaction leaves behind has no count to compare with.
      fc.pre(!isDisturbed(connector, victim?.xid ?? ""))
      const before = expected.slice(0, victim ? expected.indexOf(victim) : 0)
      expect(halt).toMatchObject({ code: "count-mismatch", disposition: "halt" })
      expect(readStory(reader)).toEqual(sourceStory(before).slice(0, reader.applied.length))
      noticed++
    }),
    propertyRuns("removed rows", 1_500),
  )
  expect(noticed).toBeGreaterThan(0)
})

test("an END that the commit log does not hold is noticed, and nothing after it is released", () => {
  fc.assert(
    fc.property(tapes(500), (tape) => {
      let at = 0
      const { expected, reader, halt } = play(tape, (transactions, pick) => {
        at = pick(Math.max(1, transactions.length))
        return { endOf: transactions[at]?.xid ?? "" }
      })
      const victim = expected[at]
      const next = expected[at + 1]
      fc.pre(victim !== undefined)
      // Two transactions without rows to read: nothing names the END between them, and nothing was lost with it.
      fc.pre(!victim || !next || readRows(victim).length > 0 || readRows(next).length > 0)
      expect(readStory(reader)).toEqual(sourceStory(expected.slice(0, at)).slice(0, reader.applied.length))
      if (next) expect(halt).toMatchObject({ code: "broken-chain", disposition: "halt" })
    }),
    propertyRuns("removed ENDs", 1_500),
  )
})
