// `/docs`: the API's description as a page that a person can read and try. This service serves every file that the page
// loads, and the page's policy lets a browser load nothing from anywhere else.
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { OpenAPIHono } from "@hono/zod-openapi"
import type { MiddlewareHandler } from "hono"
import { etag } from "hono/etag"

const files = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
} as const

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

// Paths are relative, so that the page also works below a prefix that a proxy takes off.
const page = (title: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`

const start = `SwaggerUIBundle({ url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null })
`

export function addDocsRoutes(app: OpenAPIHono, title: string): void {
  const require = createRequire(import.meta.url)
  app.use("/docs", guarded, etag())
  app.use("/docs/*", guarded, etag())
  app.get("/docs", (c) => c.html(page(title)))
  app.get("/docs/start.js", (c) => c.body(start, 200, { "Content-Type": files["swagger-ui-bundle.js"] }))
  for (const [name, type] of Object.entries(files)) {
    app.get(`/docs/${name}`, async (c) => {
      const directory = dirname(require.resolve("swagger-ui-dist/package.json"))
      const bytes = await readFile(join(directory, name))
      return c.body(new Uint8Array(bytes), 200, { "Content-Type": type })
    })
  }
}

const guarded: MiddlewareHandler = async (c, next) => {
  await next()
  c.header("Content-Security-Policy", policy)
  c.header("X-Content-Type-Options", "nosniff")
  c.header("Referrer-Policy", "no-referrer")
  c.header("Cache-Control", "no-cache")
}
