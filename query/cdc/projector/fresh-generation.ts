// Loads a fresh generation, because there is none that this process' projections fit or because somebody asked for
// one, and tells how far it is.
import type { Kysely } from "kysely"
import type pg from "pg"
import type { Logger } from "pino"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { CacheFence } from "../cache/fence.ts"
import { createDecoder } from "../decode/decode.ts"
import type { FetchSchema } from "../decode/schema-registry.ts"
import { type LoadProgress, loadBase } from "../generations/base-load.ts"
import type { Generation } from "../generations/generations.ts"
import { noteStartOffsets } from "../generations/start-offsets.ts"
import type { KafkaAccess } from "../kafka/kafka.ts"
import type { Lease } from "../lease/lease.ts"
import { updateRequest } from "../lease/requests.ts"
import type { Projections } from "../projection/projection.ts"
import { classifyError } from "../vocabulary/errors.ts"
import type { ProjectorReport } from "./report.ts"

export type FreshGenerationDeps = {
  /** For requests, where every statement is short. */
  db: Kysely<QueryDatabase>
  /** For loading, where one may take any time. */
  pool: pg.Pool
  work: Kysely<QueryDatabase>
  sourceUrl: string
  topicPrefix: string
  projections: Projections
  kafka: KafkaAccess
  fetchSchema: FetchSchema
  cacheFence: CacheFence
  report: ProjectorReport
  log: Logger
}

const progressMs = 500

/** Executes a request for a rebuild. */
export async function rebuild(
  deps: FreshGenerationDeps,
  lease: Lease,
  request: bigint,
  signal: AbortSignal,
): Promise<void> {
  const { db, log } = deps
  log.info({ request: String(request) }, "rebuilding from a snapshot")
  await updateRequest(db, lease, request, { state: "running" })
  try {
    const { generation } = await loadGeneration(deps, lease, signal, (progress) => {
      void updateRequest(db, lease, request, { progress }).catch(() => {})
    })
    await updateRequest(db, lease, request, { state: "done", progress: { generation } })
  } catch (error) {
    const classified = classifyError(error)
    if (classified.disposition !== "retry") {
      await updateRequest(db, lease, request, { state: "failed", error: classified.message })
    }
    throw error
  }
}

/** @returns the generation, complete and serving. */
export async function loadGeneration(
  deps: FreshGenerationDeps,
  lease: Lease,
  signal: AbortSignal,
  onProgress: (progress: LoadProgress) => void = () => {},
): Promise<Generation> {
  const { kafka, topicPrefix, projections, report } = deps
  const decoder = createDecoder(deps.fetchSchema)
  let toldAt = Number.NEGATIVE_INFINITY
  const generation = await loadBase({
    db: deps.work,
    pool: deps.pool,
    sourceUrl: deps.sourceUrl,
    lease,
    projections,
    cacheFence: deps.cacheFence,
    signal,
    noteOffsets: () => noteStartOffsets({ kafka, decoder, topicPrefix, projections, signal }),
    onProgress(progress) {
      report.note({ state: "loading", reason: progress.step, nextStep: null, detail: progress })
      if (performance.now() - toldAt < progressMs) return
      toldAt = performance.now()
      onProgress(progress)
      void report.tell()
    },
  })
  deps.log.info(
    { generation: generation.generation, schema: generation.schema },
    "the generation is complete and serves",
  )
  return generation
}
