// Which paths and methods there are, and the description of them that the service serves.
import { describe, expect, test } from "vitest"
import { checkDocsPage } from "../../support/docs-page.ts"
import { givenService } from "../given/running-service.ts"

const service = givenService()

describe("paths", () => {
  test.each([
    ["GET", "/nothing", 404, "route-not-found", null],
    ["GET", "/orders", 405, "method-not-allowed", "POST"],
    ["DELETE", "/orders/x", 405, "method-not-allowed", "PATCH"],
    ["POST", "/orders/x/items/1", 405, "method-not-allowed", "PATCH, DELETE"],
    ["PATCH", "/orders/x/items/0", 415, "unsupported-media-type", null],
    ["DELETE", "/orders/x/items/0", 422, "invalid-request", null],
    ["DELETE", "/orders/x/items/none", 422, "invalid-request", null],
    ["POST", "/orders/%00/confirm", 422, "invalid-request", null],
    ["POST", "/orders/%zz/confirm", 404, "order-not-found", null],
    ["POST", "/openapi.json", 405, "method-not-allowed", "GET"],
  ])("%s %s is a %i", async (method, path, status, code, allow) => {
    const answer = await service.call(method, path)
    expect(answer.status).toBe(status)
    expect(answer.body.type).toBe(`urn:lockstep:problem:${code}`)
    expect(answer.headers.get("allow")).toBe(allow)
  })
})

describe("/openapi.json", () => {
  test("describes every route from the schemas that check it", async () => {
    const { body } = await service.call("GET", "/openapi.json")
    expect(body).toMatchObject({
      openapi: "3.1.0",
      paths: {
        "/orders": { post: { responses: { 201: {}, 409: {}, 422: {}, 503: {} } } },
        "/orders/{id}": { patch: {} },
        "/orders/{id}/items": { post: {} },
        "/orders/{id}/items/{line}": { patch: {}, delete: {} },
        "/orders/{id}/confirm": { post: {} },
        "/orders/{id}/cancel": { post: {} },
        "/customers": { post: {} },
        "/customers/{id}": { patch: {} },
        "/livez": { get: {} },
        "/readyz": { get: {} },
      },
    })
  })
})

describe("/docs", () => {
  test("shows the description, and loads nothing from anywhere else", async () => {
    await checkDocsPage((path) => fetch(`${service.url}${path}`))
    const posted = await service.call("POST", "/docs")
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET"])
  })
})
