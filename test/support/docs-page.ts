// What a browser would load for /docs, followed from the page itself.
import { expect } from "vitest"

/** Loads the page with everything that it names and checks that none of it, nor its policy, leaves the service. */
export async function checkDocsPage(get: (path: string) => Promise<Response>): Promise<void> {
  const page = await get("/docs")
  expect(page.status).toBe(200)
  expect(page.headers.get("content-type")).toMatch(/^text\/html/)
  const html = await page.text()
  // Neither scripts nor styles in the page: the policy would block them.
  expect(html).not.toMatch(/<style|<script>|\son\w+=|style=/)
  const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = ""]) => address)
  const loaded = named.filter((address) => address !== "data:,")
  expect(loaded).toEqual(["docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js"])
  for (const path of ["/docs", ...loaded.map((address) => `/${address}`)]) {
    const part = await get(path)
    expect([path, part.status]).toEqual([path, 200])
    expect(part.headers.get("x-content-type-options")).toBe("nosniff")
    expect(part.headers.get("etag")).not.toBeNull()
    const policy = directivesOf(part.headers.get("content-security-policy") ?? "")
    expect(policy.get("default-src")).toEqual(["'none'"])
    const sources = new Set([...policy.values()].flat())
    // No address, no wildcard, nothing inline, no eval.
    expect([...sources].sort()).toEqual(["'none'", "'self'", "data:"])
    expect(policy.get("script-src")).toEqual(["'self'"])
    expect(policy.get("connect-src")).toEqual(["'self'"])
  }
  const start = await (await get("/docs/start.js")).text()
  expect(start).toContain('url: "openapi.json"')
  expect(start).not.toMatch(/https?:/)
  const script = await (await get("/docs/swagger-ui-bundle.js")).text()
  expect(script).toContain("SwaggerUIBundle")
  // Styles load nothing but what they carry with them.
  const css = await (await get("/docs/swagger-ui.css")).text()
  const fetched = [...css.matchAll(/url\(["']?([^"')]+)|@import\s+["']([^"']+)/g)].map(
    ([, a, b]) => a ?? b ?? "",
  )
  expect(fetched.filter((address) => !address.startsWith("data:"))).toEqual([])
  expect((await get("/docs/package.json")).status).toBe(404)
  expect((await get("/docs/..%2fpackage.json")).status).toBe(404)
}

function directivesOf(policy: string): Map<string, string[]> {
  return new Map(
    policy.split(";").map((part) => {
      const [name = "", ...values] = part.trim().split(/\s+/)
      return [name, values]
    }),
  )
}
