// `GET /sources`: the sources that this instance answers for, and their paths. The first source also answers at the root.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { anyHeaders, plainProblems } from "./problem-answers.ts"

const listSources = createRoute({
  method: "get",
  path: "/sources",
  summary: "The sources and the paths of their read models",
  responses: {
    200: {
      description:
        "The sources in the order of the configuration; the first source answers at the root, too.",
      headers: anyHeaders,
      content: {
        "application/json": {
          schema: z
            .object({ sources: z.array(z.object({ source: z.string(), path: z.string() })) })
            .openapi("Sources"),
        },
      },
    },
    ...plainProblems(),
  },
})

export const sourcePath = (source: string): string => `/sources/${source}`

export function addSourcesRoute(app: OpenAPIHono, sources: readonly { source: string }[]): void {
  const body = { sources: sources.map(({ source }) => ({ source, path: sourcePath(source) })) }
  app.openapi(listSources, (c) => c.json(body, 200))
}
