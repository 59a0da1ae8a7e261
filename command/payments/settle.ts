// Asks the provider and records what it says. Nobody holds a transaction while the provider thinks. Without an answer in
// time the outcome is unknown, which is a state of its own; the request stays open and is asked again.
import { TimeoutStrategy, timeout } from "cockatiel"
import type { Logger } from "pino"
import type { Execute, Executed } from "../execute/execute.ts"
import type { CommandContext } from "../orders/handle.ts"
import type { ProviderCall } from "../orders/store/calls.ts"
import type { Outcome, PaymentProvider } from "./provider.ts"
import { recordOutcome } from "./record.ts"

/** Undefined if nothing could be recorded; then the request is still open. Never rejects. */
export type Settle = (call: ProviderCall, stopping?: AbortSignal) => Promise<Executed | undefined>

export function createSettle(options: {
  provider: PaymentProvider
  execute: Execute
  now: () => Date
  /** The provider's answer is waited for as long. */
  answerLimitMs: number
  logger: Logger
}): Settle {
  const { provider, execute, now, answerLimitMs, logger } = options
  const inTime = timeout(answerLimitMs, TimeoutStrategy.Aggressive)

  async function record(call: ProviderCall, outcome: Outcome): Promise<Executed | undefined> {
    const origin: CommandContext["origin"] = { requestId: `payment-provider:${call.key}`, traceparent: null }
    const request = { key: undefined, method: "", path: "", body: "" }
    const result = await execute(request, (trx) =>
      recordOutcome(trx, call, outcome, { now: now(), origin, reservationMs: 0 }),
    )
    if (result.ok) return result.value
    logger.error(
      { key: call.key, outcome: outcome.state, refused: result.rejection },
      "an answer was refused",
    )
    return undefined
  }

  return async (call, stopping) => {
    let recorded: Executed | undefined
    let isAnswered = false
    try {
      await inTime.execute(
        ({ signal }) =>
          provider.ask(
            call,
            async (answer) => {
              isAnswered = true
              recorded = (await record(call, answer)) ?? recorded
            },
            signal,
          ),
        stopping,
      )
    } catch (error) {
      logger.warn(
        { err: error, key: call.key },
        "the payment provider did not answer, or the answer was lost",
      )
    }
    if (isAnswered) return recorded
    return await record(call, { state: "unknown" }).catch((error: unknown) => {
      logger.warn({ err: error, key: call.key }, "an unknown outcome could not be recorded")
      return undefined
    })
  }
}
