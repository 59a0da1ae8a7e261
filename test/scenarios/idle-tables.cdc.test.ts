// SCENARIOS row 14: the captured tables rest while others are written. Heartbeats let the slot go on, so Postgres keeps
// no WAL for it that nobody needs, and the position of the read side moves with the source.
import { expect, test } from "vitest"
import { givenSystem } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"

const system = givenSystem("idle_tables")

type Slot = { kept: bigint; confirmed: bigint; current: bigint }

async function slot(): Promise<Slot> {
  const { rows } = await system.source.query<Slot>(
    `select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as kept,
       pg_wal_lsn_diff(confirmed_flush_lsn, '0/0')::bigint as confirmed,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as current
     from pg_replication_slots where slot_name = $1`,
    [system.registration.slotName],
  )
  const [row] = rows
  if (!row) throw new Error("there is no slot")
  return row
}

test("lets the slot and the position advance while only tables that nobody captures are written", async () => {
  await system.caughtUp()
  await system.source.query("create table noise (n integer, text text)")
  const before = await slot()
  for (let n = 0; n < 8; n++) {
    await system.source.query(
      "insert into noise select n, repeat(md5(n::text), 30) from generate_series(1, 8000) n",
    )
  }
  const written = (await slot()).current - before.current
  console.log(`${written >> 20n} MiB of WAL were written`)
  expect(written).toBeGreaterThan(32n << 20n)
  const end = before.current + written
  await waitFor(async () => (await slot()).confirmed >= end, "the slot has confirmed all of it", 30_000)
  await waitFor(
    async () => {
      // Postgres gives WAL up where it has noted the running transactions, which it does every 15 seconds by itself.
      await system.source.query("select pg_log_standby_snapshot()")
      return (await slot()).kept < written / 4n
    },
    "the WAL is not kept",
    30_000,
  )
  await system.caughtUp()
})
