// One read of the database: a single statement that returns the finished JSON text together with the position,
// generation and epoch of its own snapshot. Nothing about the answer is judged on memory. The process only
// remembers which generation is live in order to name its schema; the statement returns the live generation of
// its snapshot, and if that is another one (or the schema is gone, after a switch) it is run again there.
import type pg from "pg"
import { isBrokenConnection, sqlStateOf } from "../../db/errors.ts"
import { quoted } from "../../db/sql-names.ts"
import { type Lsn, toLsn } from "../cdc/vocabulary/lsn.ts"
import type { ConsistencyToken } from "./demand.ts"
import { ReadProblem } from "./problem.ts"

/** A query over one generation's tables. */
export type Question = {
  /**
   * Names the statement on its connection, so that it is planned once; another text needs another name, and Postgres
   * takes some 50 bytes. Null where there are too many texts to keep, or where the plan depends on what is asked for.
   */
  name: string | null
  /**
   * A select of at most one row: `body` (JSON text), `version` (integer or null), `cursor` (text or null).
   * `schema` is the quoted schema; parameters are $1 .. $n.
   */
  text: (schema: string) => string
  parameters: readonly unknown[]
  /**
   * Which parked changes the answer would show: an SQL condition on `parked` (table_name, row_key), with the same
   * parameters. Absent where any would.
   */
  lacks?: (schema: string) => string
}

export type Snapshot = {
  answer: { body: string; version: number | null; cursor: string | null } | null
  /** Whether the token's transaction is applied. */
  satisfied: boolean
  /** How many changes are parked that the answer would show. */
  lacking: number
  position: Lsn
  heartbeatMs: number | null
  epoch: number
  history: string
  generation: number
  cacheEpoch: bigint
}

export type SnapshotReader = {
  /** @throws ReadProblem when no generation can serve, or the database's error. */
  read(question: Question, token: ConsistencyToken | null): Promise<Snapshot>
}

type Row = {
  live_generation: number | null
  schema_name: string | null
  projection_version: string | null
  position: bigint | null
  heartbeat_ms: bigint | null
  epoch: number
  history: string
  cache_epoch: bigint
  satisfied: boolean
  lacking: number
  body: string | null
  version: number | null
  cursor: string | null
}

/** A switch takes one more run; more than a few means that generations change faster than they can be read. */
const mostRuns = 5
/** A generation that is being removed: its tables are gone, or this statement and the removal lock each other out. */
const removedUnderneath = new Set(["42P01", "40P01"])

export function createSnapshotReader(options: {
  source: string
  pool: pg.Pool
  projectionVersion: string
}): SnapshotReader {
  const { source, pool } = options
  let schema: string | null = null

  async function findSchema(): Promise<string> {
    const found = await ask<{ schema_name: string }>(pool, {
      name: "live schema",
      text: `select g.schema_name from cdc.sources s
        join cdc.generations g on g.source = s.source and g.generation = s.live_generation
        where s.source = $1`,
      values: [source],
    })
    if (!found) throw notReady("The read models are being loaded for the first time.")
    return found.schema_name
  }

  /** @returns null when another generation is live in the statement's snapshot. */
  async function readFrom(
    asked: string,
    question: Question,
    token: ConsistencyToken | null,
  ): Promise<Snapshot | null> {
    const row = await ask<Row>(pool, {
      ...(question.name !== null && { name: `${question.name} ${asked}` }),
      text: statement(asked, question),
      values: [...question.parameters, source, token?.lsn ?? null, token?.xid ?? null],
    })
    if (row?.live_generation == null || row.position === null) {
      throw notReady("The read models are being loaded.")
    }
    schema = row.schema_name
    if (row.projection_version !== options.projectionVersion) {
      throw new ReadProblem(
        "unknown-projection-version",
        `The live generation has projection version ${row.projection_version}; this instance knows ${options.projectionVersion}.`,
      )
    }
    return row.schema_name === asked ? toSnapshot(row, row.live_generation, row.position) : null
  }

  return {
    async read(question, token) {
      for (let runs = 0; runs < mostRuns; runs++) {
        const asked = schema ?? (await findSchema())
        try {
          const snapshot = await readFrom(asked, question, token)
          if (snapshot) return snapshot
        } catch (error) {
          if (!removedUnderneath.has(sqlStateOf(error) ?? "")) throw error
          if (schema === asked) schema = null
        }
      }
      throw notReady("The read models are being switched.")
    },
  }
}

function statement(schema: string, question: Question): string {
  const [source, lsn, xid] = [1, 2, 3].map((n) => `$${question.parameters.length + n}`)
  return `
    select s.live_generation, g.schema_name, g.projection_version, p.position, s.epoch, s.cache_epoch,
      s.system_identifier || '-' || s.timeline as history,
      case when isfinite(p.heartbeat_at) then floor(extract(epoch from p.heartbeat_at) * 1000)::bigint end
        as heartbeat_ms,
      ${lsn}::bigint is null or p.position >= ${lsn}::bigint or exists (
        select from cdc.applied_xids x
        where x.source = s.source and x.xid = ${xid}::bigint and x.commit_lsn <= ${lsn}::bigint
      ) as satisfied,
      (select count(*)::integer from cdc.dead_letters parked
       where parked.source = s.source and parked.generation = s.live_generation and parked.state = 'parked'
         and (parked.row_key is null or (${question.lacks?.(quoted(schema)) ?? "true"}))) as lacking,
      answer.*
    from cdc.sources s
    left join cdc.generations g on g.source = s.source and g.generation = s.live_generation
    left join cdc.progress p on p.source = s.source and p.generation = s.live_generation
    left join lateral (${question.text(quoted(schema))}) answer on true
    where s.source = ${source}`
}

function toSnapshot(row: Row, generation: number, position: bigint): Snapshot {
  const { body, version, cursor } = row
  return {
    answer: body !== null ? { body, version, cursor } : null,
    satisfied: row.satisfied,
    lacking: row.lacking,
    position: toLsn(position),
    heartbeatMs: row.heartbeat_ms === null ? null : Number(row.heartbeat_ms),
    epoch: row.epoch,
    history: row.history,
    generation,
    cacheEpoch: row.cache_epoch,
  }
}

/** A pooled connection may have died unnoticed; a read may simply be asked again on another one. */
async function ask<Found extends pg.QueryResultRow>(
  pool: pg.Pool,
  query: { name?: string; text: string; values: unknown[] },
): Promise<Found | undefined> {
  try {
    return (await pool.query<Found>(query)).rows[0]
  } catch (error) {
    if (!isBrokenConnection(error)) throw error
    return (await pool.query<Found>(query)).rows[0]
  }
}

const notReady = (detail: string): ReadProblem => new ReadProblem("not-ready", detail)
