// Pages of what is listed by id: cut by the last id shown, so that what is added meanwhile neither repeats nor hides.
import { z } from "@hono/zod-openapi"
import { idText } from "../http/parameters.ts"

/** Where a page ends, as its next link carries it. Clients pass it on unread. */
export const idCursor = z
  .string()
  .max(1_500)
  .transform((text, context): string => {
    const id = idText.safeParse(Buffer.from(text, "base64url").toString())
    if (id.success) return id.data
    context.addIssue({ code: "custom", message: "is not a cursor of this API" })
    return z.NEVER
  })
  .optional()
  .openapi({ type: "string", description: "From the `next` link of the page before." })

/**
 * SQL text that answers with a page under `name`: `select` gives lines that begin with the column `id`, in its order and
 * one more than `limit`, the SQL text of the limit.
 */
export const idPageText = (name: string, id: string, select: string, limit: string): string => `
  with page as materialized (select found.*, row_number() over (order by ${id}) as n from (${select}) found)
  select (select row_to_json(answer)::text from (
      select array_to_json(array(
        select to_jsonb(page) - 'n' from page where n <= ${limit} order by n
      )) as ${name}
    ) answer) as body,
    null::integer as version,
    (select translate(encode(convert_to(${id}, 'UTF8'), 'base64'), E'+/=\\n', '-_')
     from page where n = ${limit} and exists (select from page beyond where beyond.n > ${limit})) as cursor`
