// From a question to an answer that keeps the promises to its reader. The answer shows the command of the reader's token
// and is as fresh as the reader demands, or the request is refused with a named problem. The answer says the position
// that it stands for. It comes from the cache only where the cache changes nothing but the speed. Every judgement uses
// the snapshot that the answer itself came from.
import { hash } from "node:crypto"
import type { Context } from "hono"
import { formatLsn, type Lsn } from "../cdc/vocabulary/lsn.ts"
import type { CachedAnswer, ReadCache } from "./cache.ts"
import { type Demand, readDemand } from "./demand.ts"
import { matchesAny } from "./if-none-match.ts"
import type { PositionSignal } from "./position-signal.ts"
import { type ProblemCode, ReadProblem } from "./problem.ts"
import type { Question, Snapshot, SnapshotReader } from "./snapshot.ts"

export type ReadOptions = {
  /** The problem when the question finds no row. Absent where every question finds a row. */
  missing?: ProblemCode
  /** Stores the answer in the cache under this key; query/orders/projections.ts says which changes make it stale. */
  cacheKey?: string
  /** For pages: the path and query of the next page, which the body shows as `next`. */
  nextPage?: (cursor: string) => string
}

export type Reads = {
  /** Answers the request with the row that the question selects. @throws ReadProblem or the database's error. */
  answer(c: Context, question: Question, options: ReadOptions): Promise<Response>
}

type Answer = Omit<CachedAnswer, "generation"> & {
  generation: number
  lacking?: number
  next?: string | undefined
}

/** Most reads that may wait: at every commit all waiting reads look again at once. */
const mostWaiting = 500
/** A source's clock may be ahead by so much before the age of an answer counts as unknown. */
const clockToleranceMs = 1_000

export function createReads(deps: {
  source: string
  snapshots: SnapshotReader
  cache: ReadCache | null
  positions: PositionSignal
  /** Milliseconds since 1970. */
  now: () => number
}): Reads {
  const { snapshots, cache, positions, now } = deps
  let waiting = 0

  /** Age in whole seconds; null when nobody can know the age. */
  function ageOf(heartbeatMs: number | null): number | null {
    if (heartbeatMs === null) return null
    const ageMs = now() - heartbeatMs
    return ageMs < -clockToleranceMs ? null : Math.max(0, Math.floor(ageMs / 1_000))
  }

  function isFresh(demand: Demand, heartbeatMs: number | null): boolean {
    if (demand.maxAgeSeconds === null) return true
    const age = ageOf(heartbeatMs)
    return age !== null && age <= demand.maxAgeSeconds
  }

  /** The cached answer if it meets the demand. */
  async function fromCache(key: string, demand: Demand): Promise<{ status: string; answer: Answer | null }> {
    if (!cache) return { status: "fwd=bypass", answer: null }
    if (demand.skipCache) return { status: "fwd=request", answer: null }
    const lookup = await cache.lookup(key)
    if (!lookup.reached) return { status: "fwd=bypass", answer: null }
    const { answer } = lookup
    if (!answer) return { status: "fwd=miss", answer: null }
    const { token } = demand
    const satisfied = token === null || (token.history === answer.history && answer.position >= token.lsn)
    if (!satisfied || !isFresh(demand, answer.heartbeatMs)) return { status: "fwd=request", answer: null }
    return { status: "hit", answer }
  }

  /** Reads until the answer meets the demand or the time is over. */
  async function fromDatabase(
    question: Question,
    demand: Demand,
    gone: AbortSignal,
  ): Promise<{ snapshot: Snapshot; current: boolean }> {
    let deadline = performance.now() + demand.waitMs
    for (;;) {
      const seen = positions.count()
      const snapshot = await snapshots.read(question, demand.token)
      refuseOtherHistory(demand, snapshot)
      const current = snapshot.satisfied && isFresh(demand, snapshot.heartbeatMs)
      const leftMs = deadline - performance.now()
      if (current || leftMs <= 0 || gone.aborted) return { snapshot, current }
      if (waiting >= mostWaiting) {
        throw new ReadProblem("too-many-waiting", "Too many reads are waiting for the read models already.")
      }
      waiting += 1
      try {
        if (!(await positions.moved(seen, leftMs, gone))) deadline = 0
      } finally {
        waiting -= 1
      }
    }
  }

  function refuseOtherHistory({ token }: Demand, snapshot: Snapshot): void {
    if (token === null || token.history === snapshot.history) return
    throw new ReadProblem(
      "token-of-another-epoch",
      "The token comes from another history of the write side than the history read here; no wait can meet it.",
    )
  }

  function refuseStale(demand: Demand, snapshot: Snapshot): never {
    const age = ageOf(snapshot.heartbeatMs)
    const reason = snapshot.satisfied
      ? `The answer's age is ${age === null ? "unknown" : `${age} s`}; the demand is at most ${demand.maxAgeSeconds} s.`
      : "The command of the token is not visible yet."
    throw new ReadProblem("read-not-current", reason, { headers: snapshotHeaders(snapshot) })
  }

  const snapshotHeaders = (at: {
    position: Lsn
    heartbeatMs: number | null
    generation: number
    epoch: number
    lacking?: number
  }): Record<string, string> => ({
    "Read-Position": formatLsn(at.position),
    "Read-Age": String(ageOf(at.heartbeatMs) ?? "unknown"),
    "Read-Generation": String(at.generation),
    "Read-Epoch": String(at.epoch),
    ...(at.lacking ? { "Read-Incomplete": String(at.lacking) } : {}),
  })

  function respond(c: Context, answer: Answer, more: Record<string, string>): Response {
    const headers = {
      ...snapshotHeaders(answer),
      ETag: answer.etag,
      "Cache-Control": "no-cache, private",
      ...(answer.next === undefined ? {} : { Link: `<${answer.next}>; rel="next"` }),
      ...more,
    }
    const ifNoneMatch = c.req.header("if-none-match")
    if (ifNoneMatch !== undefined && matchesAny(ifNoneMatch, answer.etag)) {
      return new Response(null, { status: 304, headers })
    }
    return new Response(answer.body, { headers: { ...headers, "Content-Type": "application/json" } })
  }

  return {
    async answer(c, question, { missing, cacheKey, nextPage }) {
      const demand = readDemand((name) => c.req.header(name))
      if (demand.token !== null && demand.token.source !== deps.source) {
        throw new ReadProblem(
          "token-of-another-epoch",
          `The token does not belong to the source ${deps.source}.`,
        )
      }
      const cached = cacheKey === undefined ? null : await fromCache(cacheKey, demand)
      if (cached?.answer) return respond(c, cached.answer, { "Cache-Status": "lockstep; hit" })

      const { snapshot, current } = await fromDatabase(question, demand, c.req.raw.signal)
      if (!current && !demand.lenient) refuseStale(demand, snapshot)
      cache?.learn({ cacheEpoch: snapshot.cacheEpoch, generation: snapshot.generation })
      const stale: Record<string, string> = current
        ? {}
        : { "Preference-Applied": "handling=lenient", "Read-Stale": "true" }
      if (!snapshot.answer) {
        if (missing === undefined) throw new Error(`no row from the statement "${question.name}"`)
        const headers = { ...snapshotHeaders(snapshot), ...stale }
        throw new ReadProblem(missing, "There is nothing with this id.", { headers })
      }
      const answer = finish(snapshot, snapshot.answer, nextPage)
      let status = `lockstep; ${cached?.status ?? "fwd=bypass"}`
      if (cache && cacheKey !== undefined && cached?.status === "fwd=miss" && snapshot.lacking === 0) {
        if (await cache.store(cacheKey, snapshot, answer)) status += "; stored"
      }
      return respond(c, answer, { ...stale, "Cache-Status": status })
    },
  }
}

function finish(
  snapshot: Snapshot,
  found: NonNullable<Snapshot["answer"]>,
  nextPage: ((cursor: string) => string) | undefined,
): Answer {
  const next = nextPage && found.cursor !== null ? nextPage(found.cursor) : undefined
  const body = nextPage ? `${found.body.slice(0, -1)},"next":${JSON.stringify(next ?? null)}}` : found.body
  const digest = hash("sha256", body, "base64url").slice(0, 22)
  const etag = found.version === null ? `"${digest}"` : `"${found.version}-${digest}"`
  const { position, heartbeatMs, epoch, history, generation, lacking } = snapshot
  return { body, etag, next, position, heartbeatMs, epoch, history, generation, lacking }
}
