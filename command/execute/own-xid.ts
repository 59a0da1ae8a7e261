// The id of the transaction that writes a row: the position of a command's consistency token is found by it.
import { sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"

const currentXid = sql<string>`pg_current_xact_id()::text`

/** For `returning`, as the column `xid`. */
export const ownXid = currentXid.as("xid")

/** For a transaction that has written nothing yet. */
export async function readOwnXid(trx: Transaction<CommandDatabase>): Promise<string> {
  const { rows } = await sql<{ xid: string }>`select ${ownXid}`.execute(trx)
  return rows[0]?.xid ?? ""
}
