// Which history this is: the source cluster's identity and timeline. Another identity or timeline means that the
// positions of before mean nothing (a restored or promoted database): the engine halts, and a rebuild begins a
// new epoch, which is the first part of every row's guard.
import type { Kysely } from "kysely"
import type pg from "pg"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { EngineError } from "./errors.ts"
import type { Lsn } from "./lsn.ts"

export type SourceIdentity = { systemIdentifier: string; timeline: number }

export async function readSourceIdentity(client: pg.ClientBase): Promise<SourceIdentity> {
  const { rows } = await client.query<{ system_identifier: string; timeline: number }>(`
    select s.system_identifier::text, c.timeline_id as timeline
    from pg_control_system() s, pg_control_checkpoint() c`)
  const row = rows[0]
  if (!row) throw new EngineError("dependency-down", "The source database does not tell its identity.")
  return { systemIdentifier: row.system_identifier, timeline: row.timeline }
}

export type Source = SourceIdentity & { source: string; epoch: number }

export async function findSource(db: Kysely<QueryDatabase>, source: string): Promise<Source | null> {
  const row = await db
    .selectFrom("cdc.sources")
    .select(["source", "epoch", "system_identifier", "timeline"])
    .where("source", "=", source)
    .executeTakeFirst()
  if (!row) return null
  return {
    source: row.source,
    epoch: row.epoch,
    systemIdentifier: row.system_identifier,
    timeline: row.timeline,
  }
}

export const sameHistory = (a: SourceIdentity, b: SourceIdentity): boolean =>
  a.systemIdentifier === b.systemIdentifier && a.timeline === b.timeline

/**
 * Whether a heartbeat that comes in tells of another history than the one followed up to `position`. Another cluster
 * does, and so does another timeline, wherever its LSNs are: they may be lower than ours, and its changes would pass
 * for old ones. A cluster's timelines only rise, so a lower one within what is applied was sent again from before a
 * promotion. No clock is asked: a promoted server's may be behind.
 */
export function isOtherHistory(
  known: SourceIdentity,
  told: SourceIdentity,
  { lsn, position }: { lsn: Lsn; position: Lsn },
): boolean {
  if (sameHistory(known, told)) return false
  const isSentAgain =
    told.systemIdentifier === known.systemIdentifier && told.timeline < known.timeline && lsn <= position
  return !isSentAgain
}

export function sourceChanged(known: SourceIdentity, now: SourceIdentity): EngineError {
  return new EngineError(
    "source-changed",
    `The source database is another one: system ${now.systemIdentifier} timeline ${now.timeline}, not ${known.systemIdentifier} timeline ${known.timeline}.`,
    {
      nextStep:
        "It was restored or promoted, so earlier positions mean nothing. Rebuild: npx lockstep projection rebuild.",
      detail: { systemIdentifier: now.systemIdentifier, timeline: now.timeline },
    },
  )
}
