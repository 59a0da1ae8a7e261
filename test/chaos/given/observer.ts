// A reader that polls all through a run and remembers every lie. ATOM: in one snapshot of the read side every
// order's total is the sum of its items and its history is as long as its version. MONO: the position never goes
// back, and neither does the version of an order that is polled over HTTP.
import { setTimeout as sleep } from "node:timers/promises"
import type pg from "pg"
import { z } from "zod"
import { isUnavailable } from "../../../db/errors.ts"

export type Observer = {
  polls: () => number
  httpReads: () => number
  lies: string[]
  /** Orders to poll over HTTP; only ones that are never deleted. */
  watch: (order: string) => void
  stop: () => Promise<void>
}

const pollMs = 100
const watchedAtMost = 50
const answerShape = z.looseObject({ version: z.number() })

export function startObserver(options: {
  reads: pg.Pool
  queryUrl: () => string
  random: (below: number) => number
}): Observer {
  let running = true
  let polls = 0
  let httpReads = 0
  const lies: string[] = []
  const watched: string[] = []
  const versions = new Map<string, number>()
  let lastPosition = 0n
  const loops = [repeat(pollIfUp), repeat(pollHttp)]

  return {
    polls: () => polls,
    httpReads: () => httpReads,
    lies,
    watch(order) {
      if (watched.length < watchedAtMost) watched.push(order)
    },
    async stop() {
      running = false
      await Promise.all(loops)
    },
  }

  async function repeat(poll: () => Promise<void>): Promise<void> {
    while (running) {
      await poll()
      await sleep(pollMs)
    }
  }

  /** The database may be the one that is being killed; then there is nothing to see. */
  async function pollIfUp(): Promise<void> {
    try {
      await pollDatabase()
    } catch (error) {
      if (!isUnavailable(error)) throw error
    }
  }

  async function pollDatabase(): Promise<void> {
    const client = await options.reads.connect()
    try {
      await client.query("begin isolation level repeatable read read only")
      const live = await client.query<{ schema_name: string; position: bigint }>(
        `select g.schema_name, p.position from cdc.sources s
         join cdc.generations g on g.source = s.source and g.generation = s.live_generation
         join cdc.progress p on p.source = s.source and p.generation = s.live_generation`,
      )
      const { schema_name: schema, position } = live.rows[0] ?? {}
      if (schema === undefined || position === undefined) return
      if (position < lastPosition) lies.push(`the position went back from ${lastPosition} to ${position}`)
      lastPosition = position
      const torn = await client.query(tornOrders(schema))
      for (const row of torn.rows) lies.push(`torn at ${position}: ${JSON.stringify(row)}`)
      polls++
    } catch (error) {
      // A rebuild removed the generation between the two statements of this snapshot.
      if (!isMissingTable(error)) throw error
    } finally {
      // On a connection that broke it fails, and a client that is not given back keeps the pool from ending.
      await client.query("rollback").catch(() => {})
      client.release()
    }
  }

  async function pollHttp(): Promise<void> {
    const order = watched[options.random(watched.length)]
    if (!order) return
    // The query service is being killed all the time; an unanswered read is no lie.
    const response = await fetch(`${options.queryUrl()}/orders/${order}`, {
      signal: AbortSignal.timeout(5_000),
    }).catch(() => null)
    if (response?.status !== 200) {
      await response?.body?.cancel()
      return
    }
    const { version } = answerShape.parse(await response.json())
    const seen = versions.get(order) ?? 0
    if (version < seen) lies.push(`order ${order} went back from version ${seen} to ${version}`)
    versions.set(order, version)
    httpReads++
  }
}

const isMissingTable = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "42P01"

const tornOrders = (schema: string) => `
  select o.id, o.total_minor::text as total, i.total::text as items, o.version, h.entries
  from ${schema}.orders o
  left join lateral (select coalesce(sum(quantity * unit_price_minor), 0) as total
                     from ${schema}.order_items where order_id = o.id and not deleted) i on true
  left join lateral (select count(*)::int as entries
                     from ${schema}.order_events where order_id = o.id and not deleted) h on true
  where not o.deleted and (o.total_minor <> i.total or o.version <> h.entries)
  union all
  select i.order_id, null, 'items without an order', null, null
  from ${schema}.order_items i
  where not i.deleted and not exists (select from ${schema}.orders o where o.id = i.order_id and not o.deleted)`
