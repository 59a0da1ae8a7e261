// The port to a payment provider. A request carries a key: the provider does it once, however often it is asked, and
// gives the same answer each time. A service without an answer asks again, and so no customer is charged twice.
import type { OrderId } from "../vocabulary/ids.ts"

export type ProviderRequest = {
  /** Names this one operation for ever. */
  key: string
  operation: "authorize" | "charge" | "capture" | "void" | "refund"
  amountMinor: bigint
  currency: string
  /** How the customer pays, for `authorize` and `charge`: a token of the provider; null is its usual way. */
  methodToken: string | null
  /** The provider's name for the payment that is captured, voided or refunded. */
  reference: string | null
}

/** A request as the service keeps it until the answer is recorded: it belongs to a payment or refund of an order. */
export type ProviderCall = ProviderRequest & {
  orderId: OrderId
  payment: number
  /** Set for refunds. */
  refund: number | null
}

/** The provider's act. `charge` and `capture` end as captured, the others as their names say; each may be declined. */
export type ProviderAnswer =
  | { state: "authorized" | "captured" | "voided" | "refunded"; reference: string }
  | { state: "declined"; failure: string }

/** `unknown`: the provider was asked and nobody knows what it did. */
export type Outcome = ProviderAnswer | { state: "unknown" }

export type PaymentProvider = {
  /** As payments name it. */
  name: string
  /**
   * Asks, and calls `answered` for the answer, more than once if the provider repeats itself. Rejects if no answer came;
   * the provider may have done the operation nevertheless.
   */
  ask: (
    request: ProviderRequest,
    answered: (answer: ProviderAnswer) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>
}
