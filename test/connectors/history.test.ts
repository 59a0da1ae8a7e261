import { expect, test } from "vitest"
import { refuseBrokenHistory } from "../../connectors/history.ts"
import { RegistrationRefused } from "../../connectors/refusal.ts"
import type { Slot } from "../../connectors/slot.ts"

const healthySlot: Slot = {
  plugin: "pgoutput",
  database: "orders",
  active: false,
  activePid: null,
  restartLsn: "0/1000",
  confirmedFlushLsn: "0/2000",
  walStatus: "reserved",
  invalidationReason: null,
  inactiveSince: null,
  lagBytes: 0n,
  retainedBytes: 4096n,
}
const offsets = [{ partition: { server: "ecommerce" }, offset: { lsn: 1 } }]
const foreignOffsets = [{ partition: { server: "other" }, offset: { lsn: 1 } }]
const names = { connectorName: "orders", topicPrefix: "ecommerce", slotName: "ecommerce_slot" }

const check =
  (slot: Slot | null, held: typeof offsets, isRunning = false) =>
  () =>
    refuseBrokenHistory({
      ...names,
      isRunning,
      capture: { currentLsn: "0/3000", database: "orders", slot, publication: null },
      offsets: held,
    })

test.each([
  ["a first registration", null, []],
  ["a slot with its offsets", healthySlot, offsets],
])("accepts %s", (_, slot, held) => {
  expect(check(slot, held)).not.toThrow()
})

test.each([
  ["a slot without offsets", healthySlot, [], /Connect has no offsets/],
  ["a slot with offsets of another prefix only", healthySlot, foreignOffsets, /Connect has no offsets/],
  ["offsets without their slot", null, offsets, /does not exist/],
  ["a slot of another database", { ...healthySlot, database: "other" }, offsets, /belongs to database other/],
  ["a slot of another plugin", { ...healthySlot, plugin: "wal2json" }, offsets, /wal2json/],
  ["a lost slot", { ...healthySlot, walStatus: "lost" }, offsets, /removed WAL/],
  ["an invalidated slot", { ...healthySlot, invalidationReason: "wal_removed" }, offsets, /wal_removed/],
])("refuses %s and says what next", (_, slot, held, message) => {
  expect(check(slot, held)).toThrow(message)
  expect(check(slot, held)).toThrow(RegistrationRefused)
})

test("accepts a connector that has just made its slot and stored no offsets yet", () => {
  expect(check({ ...healthySlot, active: true }, [], true)).not.toThrow()
  expect(check({ ...healthySlot, active: false }, [], true)).toThrow(/Connect has no offsets/)
})
