// Asks the provider and has its answer recorded. Nobody holds a transaction while the provider thinks. Without an answer
// in time the outcome is unknown, which is a state of its own; the request stays open and is asked again.
import { TimeoutStrategy, timeout } from "cockatiel"
import type { Transaction } from "kysely"
import type { Logger } from "pino"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { Done, Executed, Executor } from "../execute/execute.ts"
import type { CommandContext } from "../execute/origin.ts"
import type { Result } from "../vocabulary/rejection.ts"
import type { Outcome, PaymentProvider, ProviderCall } from "./provider.ts"

/** Undefined if nothing could be recorded; then the request is still open. Never rejects. */
export type Settle = (call: ProviderCall, stopping?: AbortSignal) => Promise<Executed | undefined>

/** Makes the outcome part of the order that the request belongs to, and answers with the order as it is then. */
export type RecordOutcome = (
  trx: Transaction<CommandDatabase>,
  call: ProviderCall,
  outcome: Outcome,
  context: CommandContext,
) => Promise<Result<Done>>

export function createSettle(options: {
  provider: PaymentProvider
  executor: Executor
  recordOutcome: RecordOutcome
  now: () => Date
  /** The provider's answer is waited for as long. */
  answerLimitMs: number
  logger: Logger
}): Settle {
  const { provider, executor, recordOutcome, now, answerLimitMs, logger } = options
  const inTime = timeout(answerLimitMs, TimeoutStrategy.Aggressive)

  async function record(call: ProviderCall, outcome: Outcome): Promise<Executed | undefined> {
    const origin = { requestId: `payment-provider:${call.key}`, traceparent: null }
    const result = await executor.execute((trx) => recordOutcome(trx, call, outcome, { now: now(), origin }))
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
