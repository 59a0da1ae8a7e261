// Part of step 4 for a transaction that is too large for memory: infers events of aggregates that it changed without a
// recorded event. Their images before the transaction lie in a temporary table of the apply, and are compared with
// their images after it, some at a time.
import { sql, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import { type AggregateImage, readImages } from "../../events/aggregate-image.ts"
import { inferEvent } from "../../events/infer-events.ts"
import { writeInferred } from "../../events/outbox.ts"
import type { EndedTransaction } from "../../vocabulary/change.ts"
import type { ApplyTarget } from "../apply.ts"
import { readStagedAggregates } from "./staged-rows.ts"

/** How many aggregates are compared together. */
const chunkAggregates = 200

/** To be called before the first row of the transaction is written. */
export async function keepImages(trx: Transaction<QueryDatabase>, target: ApplyTarget): Promise<void> {
  const { outbox } = target.projections
  if (!outbox) return
  await sql`create temporary table images_before (aggregate text, image text) on commit drop`.execute(trx)
  const { inferredFrom, recordedIn } = outbox
  for await (const aggregates of readStagedAggregates(
    trx,
    target,
    inferredFrom,
    chunkAggregates,
    recordedIn,
  )) {
    const images = await readImages(trx, target, aggregates)
    await sql`
      insert into images_before
      select * from unnest(${aggregates}::text[],
        ${aggregates.map((one) => JSON.stringify(images.get(one) ?? null))}::text[])`.execute(trx)
  }
}

/** To be called after the last row of the transaction is written. */
export async function inferFromImages(
  trx: Transaction<QueryDatabase>,
  target: ApplyTarget,
  transaction: EndedTransaction,
): Promise<void> {
  if (!target.projections.outbox) return
  await sql`declare kept_images no scroll cursor for select aggregate, image from images_before`.execute(trx)
  for (;;) {
    const { rows } = await sql<{ aggregate: string; image: string }>`
      fetch forward ${sql.lit(chunkAggregates)} from kept_images`.execute(trx)
    if (rows.length === 0) break
    const after = await readImages(
      trx,
      target,
      rows.map(({ aggregate }) => aggregate),
    )
    const events = rows.flatMap(({ aggregate, image }) =>
      inferEvent(target, aggregate, transaction, toImage(image), after.get(aggregate)),
    )
    await writeInferred(trx, target, events)
  }
  await sql`close kept_images`.execute(trx)
}

const imageShape = z
  .object({
    tables: z.record(z.string(), z.array(z.record(z.string(), z.string().nullable()))),
    isWhole: z.boolean(),
  })
  .nullable()

const toImage = (text: string): AggregateImage | undefined => imageShape.parse(JSON.parse(text)) ?? undefined
