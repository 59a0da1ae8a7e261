// How far the read side of one source is, asked of the query database itself.
import type pg from "pg"
import { waitFor } from "./wait.ts"

export type ReadSide = {
  /** 0 before the first generation serves. */
  position: () => Promise<bigint>
  /** Waits until the position has passed everything committed in the source so far. */
  caughtUp: (limitMs?: number) => Promise<void>
  /** Schema of the generation that serves; empty before the first. */
  liveSchema: () => Promise<string>
}

/** `logs` go into the error when the read side does not catch up. */
export function createReadSide(options: {
  name: string
  source: pg.Pool
  reads: pg.Pool
  logs: () => readonly unknown[]
}): ReadSide {
  const { name, source, reads } = options

  async function position(): Promise<bigint> {
    const { rows } = await reads.query<{ position: bigint }>(
      `select p.position from cdc.progress p join cdc.sources s
       on s.source = p.source and s.live_generation = p.generation where s.source = $1`,
      [name],
    )
    return rows[0]?.position ?? 0n
  }

  return {
    position,
    async caughtUp(limitMs = 60_000) {
      const { rows } = await source.query<{ lsn: bigint }>(
        "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as lsn",
      )
      const end = rows[0]?.lsn ?? 0n
      await waitFor(async () => (await position()) >= end, `position ${end} is reached`, limitMs).catch(
        async (cause: unknown) => {
          const status = await reads.query("select to_jsonb(s)::text as status from cdc.projector_status s")
          const known = [`at ${await position()}`, ...status.rows.map((row) => row.status)]
          const logged = options
            .logs()
            .slice(-30)
            .map((line) => JSON.stringify(line))
          throw new Error([`the read side of ${name} does not catch up`, ...known, ...logged].join("\n"), {
            cause,
          })
        },
      )
    },
    async liveSchema() {
      const { rows } = await reads.query<{ schema_name: string }>(
        `select g.schema_name from cdc.generations g join cdc.sources s
         on s.source = g.source and s.live_generation = g.generation where s.source = $1`,
        [name],
      )
      return rows[0]?.schema_name ?? ""
    },
  }
}
