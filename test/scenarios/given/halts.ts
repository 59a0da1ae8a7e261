// A projector that has halted, as an operator sees it.
import type pg from "pg"
import { waitFor } from "../../support/wait.ts"

export type Halt = { reason: string; next_step: string; detail: Record<string, unknown> }

/** Waits until the projector has halted and says so where every instance can read it. */
export async function waitForHalt({ reads }: { reads: pg.Pool }): Promise<Halt> {
  let halt: Halt | undefined
  await waitFor(
    async () => {
      const { rows } = await reads.query<Halt>(
        "select reason, next_step, detail from cdc.projector_status where state = 'halted'",
      )
      halt = rows[0]
      return halt !== undefined
    },
    "the projector has halted",
    30_000,
  )
  if (!halt) throw new Error("the projector has not halted")
  return halt
}
