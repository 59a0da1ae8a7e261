// A payment provider for trying and testing. It moves no money. The method token says how the provider behaves, for a
// payment and for every later request about that payment. A table holds the operations, so a restart forgets nothing.
import { type Kysely, sql } from "kysely"
import { z } from "zod"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { PaymentProvider, ProviderAnswer, ProviderRequest } from "./provider.ts"

/** Each token names a behaviour of the provider. A payment without a token gets `sandbox-ok`. */
export const sandboxTokens = [
  "sandbox-ok",
  "sandbox-declined",
  "sandbox-capture-declined",
  "sandbox-refund-declined",
  /** The provider does nothing on the first request for an operation, and never answers that request. */
  "sandbox-hangs",
  /** The provider does the operation at once, and never answers the first request for it. */
  "sandbox-loses-answer",
  /** The provider answers three times; the second and the third answer come at the same moment. */
  "sandbox-repeats-itself",
] as const

const known = new Set<string>(sandboxTokens)
const storedAnswer = z.union([
  z.object({ state: z.enum(["authorized", "captured", "voided", "refunded"]), reference: z.string() }),
  z.object({ state: z.literal("declined"), failure: z.string() }),
])

export function createSandboxProvider(db: Kysely<CommandDatabase>): PaymentProvider {
  return {
    name: "sandbox",
    async ask(request, answered, signal) {
      const { token, asked } = await hear(db, request)
      const isFirst = asked === 1
      if (isFirst && token === "sandbox-hangs") await silence(signal)
      const answer = await act(db, request, token)
      if (isFirst && token === "sandbox-loses-answer") await silence(signal)
      await answered(answer)
      if (token === "sandbox-repeats-itself") await Promise.all([answered(answer), answered(answer)])
    },
  }
}

/** Counts the request, and finds its token: the request's own token, or the token of the payment it is about. */
async function hear(
  db: Kysely<CommandDatabase>,
  { key, operation, amountMinor, currency, methodToken, reference }: ProviderRequest,
): Promise<{ token: string; asked: number }> {
  const { rows } = await sql<{ method_token: string; asked: number }>`
    insert into sandbox_operations (key, operation, amount_minor, currency, method_token)
    values (${key}, ${operation}, ${amountMinor}, ${currency}, coalesce(${methodToken},
      (select method_token from sandbox_operations where key = ${reference ?? ""}), 'sandbox-ok'))
    on conflict (key) do update set asked = sandbox_operations.asked + 1
    returning method_token, asked`.execute(db)
  return { token: rows[0]?.method_token ?? "sandbox-ok", asked: rows[0]?.asked ?? 1 }
}

/** Does the operation once: the first answer is stored, and every later request gets this answer. */
async function act(
  db: Kysely<CommandDatabase>,
  request: ProviderRequest,
  token: string,
): Promise<ProviderAnswer> {
  const answer = JSON.stringify(answerTo(request, token))
  const kept = await db
    .updateTable("sandbox_operations")
    .set({ answer: sql<string>`coalesce(answer, ${answer}::jsonb)` })
    .where("key", "=", request.key)
    .returning("answer")
    .executeTakeFirstOrThrow()
  return storedAnswer.parse(kept.answer)
}

/** The provider's reference of a payment is the key of the request that made the payment. */
function answerTo({ key, operation, reference }: ProviderRequest, token: string): ProviderAnswer {
  switch (operation) {
    case "authorize":
    case "charge":
      if (!known.has(token)) return { state: "declined", failure: "method-unknown" }
      if (token === "sandbox-declined") return { state: "declined", failure: "card-declined" }
      return { state: operation === "charge" ? "captured" : "authorized", reference: key }
    case "capture":
      return token === "sandbox-capture-declined"
        ? { state: "declined", failure: "authorization-expired" }
        : { state: "captured", reference: reference ?? key }
    case "void":
      return { state: "voided", reference: reference ?? key }
    case "refund":
      return token === "sandbox-refund-declined"
        ? { state: "declined", failure: "account-closed" }
        : { state: "refunded", reference: key }
    default:
      return operation satisfies never
  }
}

async function silence(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const end = () => reject(new Error("the sandbox never answered"))
    if (signal.aborted) end()
    signal.addEventListener("abort", end, { once: true })
  })
}
