// All parts that one source's projector works with, built once in query/start-projector.ts and handed down as they are.
import type { Kysely } from "kysely"
import type pg from "pg"
import type { Logger } from "pino"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { FetchCommittedLsn } from "../assemble/committed-lsn.ts"
import type { CacheFence } from "../cache/fence.ts"
import type { FetchSchema, RegisterSchema } from "../decode/schema-registry.ts"
import type { KafkaAccess } from "../kafka/kafka.ts"
import type { Projections } from "../projection/projection.ts"

export type Engine = {
  source: string
  /** Unique per process. */
  holder: string
  /** How long the lease lasts without being renewed. */
  leaseMs: number
  /** For lease, status and requests, where every statement is short. */
  db: Kysely<QueryDatabase>
  /** For applying and loading, where a statement may take long. Named after the holder: a successor can end them. */
  pool: pg.Pool
  /** The same connections for statements. */
  work: Kysely<QueryDatabase>
  /** Breaks the connections of the work, answered or not: nothing may run on them without the lease. */
  breakConnections: () => void
  sourceUrl: string
  topicPrefix: string
  projections: Projections
  kafka: KafkaAccess
  fetchSchema: FetchSchema
  registerSchema: RegisterSchema
  fetchCommittedLsn: FetchCommittedLsn
  cacheFence: CacheFence
  /** About how much memory records may take that are read and not applied. */
  maxPendingBytes: number
  /** The most dead letters; with more of them the projector halts. */
  deadLetterLimit: number
  /** Called with true when the projector has halted and reported its reason, with false when it goes on. */
  onHalted: (isHalted: boolean) => void
  log: Logger
}
