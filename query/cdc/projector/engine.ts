// All that one source's projector works with, built once in query/start-projector.ts and handed down as it is.
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
  /** For applying and loading, where one may take any time. Named after the holder, so that a successor can end them. */
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
  /** About what records may take in memory that are read and not applied. */
  maxPendingBytes: number
  /** Most changes that may be parked before the projector halts. */
  deadLetterLimit: number
  /** It has halted, its reason is on record; or it goes on. */
  onHalted: (isHalted: boolean) => void
  log: Logger
}
