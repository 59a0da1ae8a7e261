// The id of the transaction that writes a row: the position of a command's consistency token is found by it.
import { sql } from "kysely"

/** For `returning`, as the column `xid`. */
export const ownXid = sql<string>`pg_current_xact_id()::text`.as("xid")
