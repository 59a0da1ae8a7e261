// Loads a fresh generation and reports the progress of the load. A load is needed when no generation fits this process'
// projections, or when an operator asks for a rebuild.
import { createDecoder } from "../decode/decode.ts"
import { type LoadProgress, loadBase } from "../generations/base-load.ts"
import type { Generation } from "../generations/generations.ts"
import { noteStartOffsets } from "../generations/start-offsets.ts"
import type { Lease } from "../lease/lease.ts"
import { updateRequest } from "../lease/requests.ts"
import { classifyError } from "../vocabulary/errors.ts"
import type { Engine } from "./engine.ts"
import type { ProjectorReport } from "./report.ts"

/** The lease under which a generation is loaded, and the signal that ends the load. */
type Loading = { lease: Lease; signal: AbortSignal; onProgress?: (progress: LoadProgress) => void }

const progressMs = 500

/** Executes a request for a rebuild. */
export async function rebuild(
  engine: Engine,
  report: ProjectorReport,
  { lease, request, signal }: { lease: Lease; request: bigint; signal: AbortSignal },
): Promise<void> {
  const { db, log } = engine
  log.info({ request: String(request) }, "rebuilding from a snapshot")
  await updateRequest(db, lease, request, { state: "running" })
  try {
    const onProgress = (progress: LoadProgress): void => {
      void updateRequest(db, lease, request, { progress }).catch(() => {})
    }
    const { generation } = await loadGeneration(engine, report, { lease, signal, onProgress })
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
  engine: Engine,
  report: ProjectorReport,
  { lease, signal, onProgress = () => {} }: Loading,
): Promise<Generation> {
  const { kafka, topicPrefix, projections } = engine
  const decoder = createDecoder(engine.fetchSchema)
  let toldAt = Number.NEGATIVE_INFINITY
  const generation = await loadBase({
    db: engine.work,
    pool: engine.pool,
    sourceUrl: engine.sourceUrl,
    lease,
    projections,
    cacheFence: engine.cacheFence,
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
  engine.log.info(
    { generation: generation.generation, schema: generation.schema },
    "the generation is complete and serves",
  )
  return generation
}
