// The two Postgres clusters of a stack: their databases, ports and settings.
import type { Layout } from "../layout.ts"
import { createPostgres } from "./postgres.ts"
import type { Part } from "./process.ts"

/** Both clusters, running or not. `durable` false skips fsync: safe against killed processes, not against power loss. */
export function createClusters(
  layout: Layout,
  durable: boolean,
): Readonly<Record<"commandDatabase" | "queryDatabase", Part>> {
  return {
    commandDatabase: createPostgres(layout, {
      name: "command-database",
      database: "orders",
      port: layout.ports.commandDatabase,
      durable,
      settings: {
        wal_level: "logical",
        track_commit_timestamp: "on",
        max_wal_senders: "20",
        max_replication_slots: "20",
        // So much WAL may the slot keep for a connector that is down; beyond that Postgres gives the slot up, not the disk.
        max_slot_wal_keep_size: "16GB",
      },
    }),
    queryDatabase: createPostgres(layout, {
      name: "query-database",
      database: "reads",
      port: layout.ports.queryDatabase,
      durable,
      // Both clusters stamp commits: the benchmark reads from it how long a commit takes to become visible.
      settings: { track_commit_timestamp: "on" },
    }),
  }
}
