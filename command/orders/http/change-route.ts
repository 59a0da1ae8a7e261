// The routes that change an order have this in common: headers and parameters, documented answers, and the way from a
// command to its answer. If the command has the payment provider asked, the answer waits for the provider's.
import { type RouteConfig, z } from "@hono/zod-openapi"
import type { Context } from "hono"
import type { Executed, Executor } from "../../execute/execute.ts"
import type { IfMatch } from "../../execute/if-match.ts"
import { originOf } from "../../execute/origin.ts"
import { answer, answersOf, keyOf, run } from "../../http/respond.ts"
import type { ProviderCall } from "../../payments/provider.ts"
import type { Settle } from "../../payments/settle.ts"
import { type OrderId, orderId } from "../../vocabulary/ids.ts"
import { accept, type RejectionCode } from "../../vocabulary/rejection.ts"
import type { ExistingOrderCommand } from "../aggregate/commands.ts"
import { type ChangeOrder, changeOrder, type OrderContext } from "../handle.ts"
import { orderBody } from "./bodies.ts"
import { orderDone } from "./order-answer.ts"

export type ChangeDeps = {
  executor: Executor
  settle: Settle
  now: () => Date
  /** How long stock is kept for an order that is confirmed and not paid. */
  reservationMs: number
  /** The command that opens a request to the provider has this long to ask it; then the schedule asks. */
  holdMs: number
}

export const orderParams = z.object({ id: orderId.openapi({ param: { name: "id", in: "path" } }) })

/** The number of a line, payment or shipment, as a part of the path. */
export const numberParam = (name: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}$/, `must be the number of a ${name}`)
    .transform(Number)
    .openapi({ type: "integer", minimum: 1, maximum: 999_999_999, param: { name, in: "path" } })

/** The answers of a command on an order that exists, with the refusals of this command's rules. */
export const changedUnless = (...refusals: RejectionCode[]): RouteConfig["responses"] =>
  answersOf(200, orderBody, ["order-not-found", "version-mismatch", "version-conflict", ...refusals])

/** The same for a command that has the payment provider asked. */
export function askedUnless(...refusals: RejectionCode[]): RouteConfig["responses"] {
  const answers = changedUnless(...refusals)
  const description = "Accepted; the payment provider has not answered yet and is asked again."
  return { ...answers, 202: { ...answers[200], description } }
}

type Request = { id: OrderId; headers: { "if-match"?: IfMatch | undefined } }
type More = { details?: ChangeOrder["details"]; methodToken?: string | undefined }

export type Change = (
  c: Context,
  request: Request,
  command: ExistingOrderCommand,
  more?: More,
) => Promise<Response>

export function contextOf(c: Context, { now, reservationMs }: ChangeDeps): OrderContext {
  return {
    now: now(),
    origin: originOf(c.get("requestId"), c.req.header("traceparent")),
    reservationMs,
  }
}

export function createChange(deps: ChangeDeps): Change {
  const { executor, settle, holdMs } = deps
  return async (c, { id, headers }, command, { details, methodToken } = {}) => {
    let calls: ProviderCall[] = []
    const asking = {
      methodToken: methodToken ?? null,
      idempotencyKey: keyOf(c) ?? null,
      afterMs: holdMs,
    }
    const first = await run(c, executor, async (trx) => {
      const change = { orderId: id, command, ifMatch: headers["if-match"], details: details ?? {}, asking }
      const result = await changeOrder(trx, change, contextOf(c, deps))
      if (!result.ok) return result
      calls = result.value.calls
      return accept(orderDone(result.value, calls.length === 0 ? 200 : 202))
    })
    if (!first.ok || first.value.replayed) return answer(c, first)
    let last: Executed = first.value
    for (const call of calls) last = (await settle(call)) ?? last
    return answer(c, accept(last))
  }
}
