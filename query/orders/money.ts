// Money in answers: whole minor units become a decimal text with exactly the currency's fraction digits. The SQL that
// builds the JSON does this, so no float ever holds an amount.
import { z } from "@hono/zod-openapi"
import { currencyCode } from "../http/parameters.ts"

export const moneyBody = z
  .object({ amount: z.string().openapi({ example: "59.98" }), currency: currencyCode })
  .openapi("Money")

/** A union, because OpenAPI would describe a nullable reference as a reference that is never null. */
export const moneyOrNull = z.union([moneyBody, z.null()])

// ISO 4217 list one, column "minor unit"; every other currency has two digits.
const unusualUnits = [
  ["1", "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  ["0.001", "BHD IQD JOD KWD LYD OMR TND"],
  ["0.0001", "CLF UYW"],
] as const

const usualDigits = 2

function digitsOf(currency: string): number {
  const unusual = unusualUnits.find(([, codes]) => codes.split(" ").includes(currency))
  return unusual ? (unusual[0].split(".")[1] ?? "").length : usualDigits
}

/** A decimal text such as 59.9, not negative. */
export const decimalAmount = z
  .string()
  .regex(/^\d{1,18}(\.\d{1,4})?$/, "must be a decimal number such as 59.98")
  .openapi({ example: "59.98" })

/** Whole minor units of a decimal text; null when it has more fraction digits than the currency. */
export function toMinor(amount: string, currency: string): bigint | null {
  const [whole = "", fraction = ""] = amount.split(".")
  const digits = digitsOf(currency)
  if (fraction.slice(digits).match(/[1-9]/)) return null
  return BigInt(whole + fraction.slice(0, digits).padEnd(digits, "0"))
}

const unitOf = (currency: string): string => {
  const cases = unusualUnits.map(([unit, codes]) => {
    const list = codes.split(" ").map((code) => `'${code}'`)
    return `when ${currency} in (${list.join(", ")}) then ${unit}`
  })
  return `case ${cases.join(" ")} else 0.01 end`
}

/** SQL text of `{"amount":"59.98","currency":"USD"}`; `minor` is the SQL text of whole minor units. */
export const moneyJson = (minor: string, currency: string): string =>
  `(select row_to_json(money) from (
      select (${minor} * (${unitOf(currency)}))::text as amount, ${currency} as currency
    ) money)`

/** SQL text of a moment as ISO 8601 in UTC with microseconds. */
export const momentText = (moment: string): string =>
  `case when isfinite(${moment})
     then to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else ${moment}::text end`
