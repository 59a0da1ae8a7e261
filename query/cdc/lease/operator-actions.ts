// What people did to the read side, kept: who, when, what, and how it ended. Nothing is ever removed from it.
import type { Kysely } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"

export async function noteOperatorAction(
  db: Kysely<QueryDatabase>,
  action: { source: string; actor: string; action: string; detail: object },
): Promise<void> {
  await db
    .insertInto("cdc.operator_actions")
    .values({ ...action, detail: JSON.stringify(action.detail) })
    .execute()
}
