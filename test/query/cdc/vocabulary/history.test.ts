// Which heartbeats tell that the source has become another one. LSNs and timelines decide; no clock is asked.
import { expect, test } from "vitest"
import { isOtherHistory } from "../../../../query/cdc/vocabulary/history.ts"
import { lsn } from "../given/records.ts"

const known = { systemIdentifier: "7", timeline: 3 }
const position = lsn(1_000)

test.each([
  { told: known, at: 900, other: false, why: "of the history that is followed" },
  { told: known, at: 1_100, other: false, why: "of the history that is followed, further on" },
  { told: { ...known, timeline: 4 }, at: 1_100, other: true, why: "of a server promoted where we are" },
  { told: { ...known, timeline: 4 }, at: 900, other: true, why: "of a server promoted before where we are" },
  { told: { ...known, timeline: 2 }, at: 900, other: false, why: "sent again from before the promotion" },
  { told: { ...known, timeline: 2 }, at: 1_100, other: true, why: "of a former primary that goes on" },
  { told: { ...known, systemIdentifier: "8" }, at: 900, other: true, why: "of a new cluster with low LSNs" },
  {
    told: { ...known, systemIdentifier: "8" },
    at: 1_100,
    other: true,
    why: "of a new cluster with high LSNs",
  },
  {
    told: { systemIdentifier: "8", timeline: 2 },
    at: 900,
    other: true,
    why: "of a new cluster on a low timeline",
  },
])("a heartbeat $why: another history $other", ({ told, at, other }) => {
  expect(isOtherHistory(known, told, { lsn: lsn(at), position })).toBe(other)
})
