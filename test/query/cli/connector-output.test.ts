// What `lockstep connector status` prints of a publication that is there, lacks tables, or does not exist.
import { expect, test } from "vitest"
import type { CaptureStatus } from "../../../connectors/status.ts"
import { describeStatus } from "../../../query/cli/connector-output.ts"

const captured = ["public.orders", "public.order_items", "public.payments"]

const statusWith = (tables: string[] | null): CaptureStatus => ({
  connectorName: "orders",
  healthy: true,
  faults: [],
  connector: { state: "RUNNING", worker_id: "w" },
  tasks: [],
  offsets: [],
  capture: {
    currentLsn: "0/0",
    database: "orders",
    slot: null,
    publication: tables && { tables, unpublished: [], filtered: [], misidentified: [] },
  },
  publication: {
    name: "lockstep",
    captured,
    missing: captured.filter((table) => !tables?.includes(table)),
    extra: [],
  },
})

test.each([
  { tables: captured, line: "publication  lockstep: 3 tables captured" },
  { tables: captured.slice(1), line: "publication  lockstep: 2 of 3 tables captured" },
  { tables: [], line: "publication  lockstep: 0 of 3 tables captured" },
  { tables: null, line: "publication  lockstep: none" },
])("$line", ({ tables, line }) => {
  expect(describeStatus(statusWith(tables)).split("\n")).toContain(line)
})
