// What a piece of text in a request may hold: something, not too much, and nothing that Postgres cannot store
// (NUL bytes) or that has no UTF-8 form (lone surrogates).
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
