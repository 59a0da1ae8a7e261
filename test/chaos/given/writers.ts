// A hostile but consistent workload, written straight to the write tables as another tool would: interleaved
// transactions of up to 2,000 changes, COPY, primary key moves, deletes, savepoints and rollbacks. Every committed
// transaction keeps what a reader then checks: an order's total is the sum of its items, and its history has as
// many entries as its version says.
import { setTimeout as sleep } from "node:timers/promises"
import type pg from "pg"
import type { Random } from "../../support/random.ts"
import { changeSomething, type WriterTotals } from "./changes.ts"

export type Writers = {
  totals: WriterTotals
  stop: () => Promise<WriterTotals>
}

const usualWriters = 4
const farBehindBytes = 32 * 1024 * 1024
/** Lock waits and deadlocks between writers are part of the load. */
const expectedConflicts = /deadlock|lock timeout|duplicate key|violates foreign key/

export function startWriters(pool: pg.Pool, random: Random, count = usualWriters): Writers {
  const totals: WriterTotals = {
    transactions: 0,
    changes: 0,
    big: 0,
    copies: 0,
    moves: 0,
    deletes: 0,
    conflicts: 0,
  }
  let running = true
  let captureIsFarBehind = false
  const watching = watchCapture()
  const writers = Array.from({ length: count }, (_, writer) => write(writer, random.fork(`writer ${writer}`)))

  return {
    totals,
    async stop() {
      running = false
      await Promise.all([watching, ...writers])
      return totals
    },
  }

  /** A killed connector reads again from its slot: on a slow machine the load has to wait for it, or it never ends. */
  async function watchCapture(): Promise<void> {
    while (running) {
      const { rows } = await pool.query<{ far: boolean }>(
        `select coalesce(max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), confirmed_flush_lsn)), 0) > $1 as far
         from pg_replication_slots where database = current_database()`,
        [farBehindBytes],
      )
      captureIsFarBehind = rows[0]?.far ?? false
      await sleep(100)
    }
  }

  async function write(writer: number, choose: Random): Promise<void> {
    let sequence = 0
    while (running) {
      const client = await pool.connect()
      try {
        await client.query("begin")
        await client.query("set local lock_timeout = '3s'; set constraints all deferred")
        const changes = await changeSomething(
          client,
          writer,
          choose,
          () => `w${writer}-${sequence++}`,
          totals,
        )
        await client.query(choose.chance(0.05) ? "rollback" : "commit")
        totals.transactions++
        totals.changes += changes
        if (changes > 300) totals.big++
      } catch (error) {
        await client.query("rollback")
        if (!(error instanceof Error) || !expectedConflicts.test(error.message)) throw error
        totals.conflicts++
      } finally {
        client.release()
      }
      do await sleep(100 + choose.below(300))
      while (running && captureIsFarBehind)
    }
  }
}
