// Search for words in a text: every word asked for must begin a word of the text, in any case and any order. Example:
// `gift fra` finds "Fragile, a gift". Postgres' text search does this with an index over words; its configuration
// "simple" changes nothing but case, so the search is the same in any language.
import { z } from "@hono/zod-openapi"

/** How much of a text is searched: the index has a limit for a row, and a mirrored row may hold any text. */
const searchedCharacters = 10_000

/** SQL text of the words of a column; an index over it must say exactly this. */
export const wordsOf = (column: string): string =>
  `to_tsvector('pg_catalog.simple', left(${column}, ${searchedCharacters}))`

/** The index over the words of a column, as text after `on <table>`. */
export const wordIndex = (column: string): string =>
  `using gin (${wordsOf(column)}) where ${column} is not null`

/** SQL condition; `words` is the SQL text of the words asked for, which may be any text. */
export const hasWords = (
  column: string,
  words: string,
): string => `(${column} is not null and ${wordsOf(column)} @@ (
    select coalesce(string_agg(quote_literal(word) || ':*', ' & '), '')::tsquery
    from unnest(tsvector_to_array(to_tsvector('pg_catalog.simple', ${words}))) word))`

const isStorable = (value: string): boolean => !/\p{Cc}|\p{Surrogate}/u.test(value)

/** The parameter `q`. */
export const searchText = z
  .string()
  .min(1)
  .max(200)
  .refine(isStorable, "must not contain control characters")
  .refine((value) => /[\p{L}\p{N}]/u.test(value), "must have a letter or a digit")
