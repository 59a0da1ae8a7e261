// Money as the write side knows it: whole minor units (cents) and an ISO 4217 currency, never a float.
// In JSON an amount is a decimal string with exactly the currency's fraction digits.
import { z } from "@hono/zod-openapi"
import { accept, type Result, refuse } from "./rejection.ts"

export type Money = { amountMinor: bigint; currency: string }

/** The largest amount a bigint column holds. */
export const maximumAmountMinor = 2n ** 63n - 1n

export const currencyCode = z.string().regex(/^[A-Z]{3}$/, "must be an ISO 4217 code such as USD")

/**
 * A plain decimal that is not negative, as text or number. http/json-body.ts has checked that a number survives a
 * double, so the number's shortest form is the form that the client sent.
 */
export const decimalAmount = z
  .union([z.number(), z.string()])
  .transform(String)
  .pipe(z.string().regex(/^\d{1,19}(\.\d{1,18})?$/, "must be a plain decimal, not negative"))

/** Money in an answer, e.g. `{"amount":"59.98","currency":"USD"}`. */
export const moneyBody = z
  .object({ amount: z.string().openapi({ example: "59.98" }), currency: currencyCode })
  .openapi("Money")

/** A union, because OpenAPI would describe a nullable reference as a reference that is never null. */
export const moneyOrNull = z.union([moneyBody, z.null()])

// ISO 4217 list one, column "minor unit"; every other currency has two digits.
const unusualFractionDigits: Record<string, number> = {
  ...Object.fromEntries(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(" ").map((code) => [code, 0]),
  ),
  ...Object.fromEntries("BHD IQD JOD KWD LYD OMR TND".split(" ").map((code) => [code, 3])),
  ...Object.fromEntries("CLF UYW".split(" ").map((code) => [code, 4])),
}

/** How many decimal digits amounts of this currency have. */
export function fractionDigits(currency: string): number {
  return unusualFractionDigits[currency] ?? 2
}

/** `2999n` of USD is "29.99"; of JPY "2999"; of KWD "2.999". */
export function formatAmount({ amountMinor, currency }: Money): string {
  const digits = fractionDigits(currency)
  if (digits === 0) return amountMinor.toString()
  const sign = amountMinor < 0n ? "-" : ""
  const padded = (amountMinor < 0n ? -amountMinor : amountMinor).toString().padStart(digits + 1, "0")
  return `${sign}${padded.slice(0, -digits)}.${padded.slice(-digits)}`
}

export function toMoneyBody(money: Money): z.infer<typeof moneyBody> {
  return { amount: formatAmount(money), currency: money.currency }
}

/**
 * The minor units of a plain decimal text ("29.99", "29.990", "30"), or undefined if the text is no decimal or is
 * finer than the currency. Nothing is ever rounded: "29.991" of USD is undefined.
 */
export function parseAmount(decimal: string, currency: string): bigint | undefined {
  const [, whole, fraction = ""] = /^(\d+)(?:\.(\d+))?$/.exec(decimal) ?? []
  if (whole === undefined) return undefined
  const digits = fractionDigits(currency)
  if (/[^0]/.test(fraction.slice(digits))) return undefined
  return BigInt(whole + fraction.slice(0, digits).padEnd(digits, "0"))
}

/** The minor units of an amount to store; a bad amount is refused as `amount-too-fine` or `amount-too-large`. */
export function toMinor(decimal: string, currency: string): Result<bigint> {
  const amountMinor = parseAmount(decimal, currency)
  if (amountMinor === undefined) {
    const digits = fractionDigits(currency)
    return refuse(
      "amount-too-fine",
      `Amounts of ${currency} have ${digits} decimal digits; ${decimal} has more.`,
    )
  }
  if (amountMinor > maximumAmountMinor) {
    return refuse("amount-too-large", `${decimal} ${currency} is more than can be stored.`)
  }
  return accept(amountMinor)
}
