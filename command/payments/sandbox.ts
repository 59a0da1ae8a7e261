// A payment provider for trying and testing. It moves no money; the method token says how it behaves, for a payment and
// for everything that is asked about it later. What it has done stands in a table, so a restart forgets nothing.
import { type Kysely, sql } from "kysely"
import { z } from "zod"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { PaymentProvider, ProviderAnswer, ProviderRequest } from "./provider.ts"

/** What a token makes it do. Without one it is `sandbox-ok`. */
export const sandboxTokens = [
  "sandbox-ok",
  "sandbox-declined",
  "sandbox-capture-declined",
  "sandbox-refund-declined",
  /** Hears nothing the first time that it is asked for something, and never answers then. */
  "sandbox-hangs",
  /** Does what it is asked for at once, and never answers the first time. */
  "sandbox-loses-answer",
  /** Answers three times, twice at the same moment. */
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

/** Counts the question, and finds the token: the request's own, or that of the payment it is about. */
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

/** Does it once: the first answer is kept and given again for ever. */
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

/** The name of a payment is the key that it was asked for by. */
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
