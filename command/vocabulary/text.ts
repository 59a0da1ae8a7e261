// The rule for a text in a request: the text is not blank, has a limited length, and holds no character that Postgres
// cannot store (NUL) or that has no UTF-8 form (lone surrogates).
import { z } from "@hono/zod-openapi"

/** A non-blank text of at most `maxLength` UTF-16 units. */
export function text(maxLength: number) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .refine((value) => !value.includes("\0"), "must not contain a NUL character")
    .refine((value) => !/\p{Surrogate}/u.test(value), "must not contain an unpaired surrogate")
    .refine((value) => /\S/.test(value), "must not be blank")
}
