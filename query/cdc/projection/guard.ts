// The engine adds these columns to every mirrored row. The guard (epoch, commit LSN, LSN) is compared as one value, so
// a row never goes back, whatever is replayed: a row at (1, 800, 640) refuses a change at (1, 700, 690).

/** The engine's columns of a mirrored row: whether it is deleted, its guard, and where its last change came from. */
export const guardColumns = [
  ["deleted", "boolean"],
  ["guard_epoch", "integer"],
  ["guard_commit_lsn", "bigint"],
  ["guard_lsn", "bigint"],
  ["xid", "bigint"],
  ["kafka_partition", "integer"],
  ["kafka_offset", "bigint"],
] as const
