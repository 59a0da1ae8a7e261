// Pages of rows in the order of id. A page is cut by the last id that it showed, so a row that is added meanwhile neither
// repeats nor hides another row.
import { z } from "@hono/zod-openapi"
import { idText } from "../http/parameters.ts"

/** The last id of a page, as the page's next link carries it. Clients pass the cursor on unread. */
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
 * SQL text that answers with a page under `name`. `select` gives lines that begin with the column `id`, in the order of
 * that column, and one line more than the page holds. `limit` is the SQL text of the page's limit.
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
