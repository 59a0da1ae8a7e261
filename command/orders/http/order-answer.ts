// The answer to a command on an order: the order as the command left it.
import type { Done } from "../../execute/execute.ts"
import { done } from "../../http/respond.ts"
import type { SavedOrder } from "../store/repository.ts"
import { toOrderBody } from "./bodies.ts"

/** The status is 202 while the payment provider owes an answer to the command. */
export function orderDone(saved: SavedOrder, status: 200 | 201 | 202, location?: string): Done {
  return done(saved.xid, status, toOrderBody(saved), location)
}
