// The columns that the engine adds to every mirrored row. The guard (epoch, commit LSN, LSN) is compared as one value,
// so a row never goes back, whatever is replayed.

/** Columns of every mirrored row that are the engine's: the guard, and where the row came from. */
export const guardColumns = [
  ["deleted", "boolean"],
  ["guard_epoch", "integer"],
  ["guard_commit_lsn", "bigint"],
  ["guard_lsn", "bigint"],
  ["xid", "bigint"],
  ["kafka_partition", "integer"],
  ["kafka_offset", "bigint"],
] as const
