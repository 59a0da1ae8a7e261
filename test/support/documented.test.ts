// The check that an answer is documented finds every way in which it may not be.
import { describe, expect, test } from "vitest"
import { createDocumented } from "./documented.ts"

const problem = (codes: string[]) => ({
  headers: { "Retry-After": {} },
  content: {
    "application/problem+json": {
      schema: {
        allOf: [{}, { properties: { type: { enum: codes.map((code) => `urn:lockstep:problem:${code}`) } } }],
      },
    },
  },
})

const documented = createDocumented({
  paths: {
    "/things/{id}": {
      get: { responses: { 200: { headers: { ETag: {} }, content: { "application/json": { schema: {} } } } } },
      post: { responses: { 404: problem(["thing-not-found"]), 503: problem(["database-unavailable"]) } },
    },
    "/things/all": { get: { responses: { 204: {} } } },
  },
})

const faults = (
  method: string,
  path: string,
  status: number,
  headers: Record<string, string>,
  code?: string,
) =>
  documented.faultsOf(method, path, {
    status,
    headers: new Headers(headers),
    problem: code === undefined ? null : `urn:lockstep:problem:${code}`,
  })

describe("an answer as documented", () => {
  test.each([
    ["GET", "/things/1?a=b", 200, { etag: '"1"', "content-type": "application/json" }, undefined],
    ["HEAD", "/things/1", 200, { etag: '"1"' }, undefined],
    ["GET", "/things/all", 204, {}, undefined],
    ["POST", "/things/1", 404, { "content-type": "application/problem+json" }, "thing-not-found"],
    ["PUT", "/things/1", 405, { allow: "GET, POST" }, "method-not-allowed"],
    ["GET", "/nothing", 404, {}, "route-not-found"],
  ])("%s %s %i has no fault", (method, path, status, headers, code) => {
    expect(faults(method, path, status, headers, code)).toEqual([])
  })
})

describe("an answer that is not as documented", () => {
  test.each([
    ["status", "GET", "/things/1", 404, {}, undefined],
    ["header", "GET", "/things/1", 200, { location: "/things/2" }, undefined],
    ["media type", "GET", "/things/1", 200, { "content-type": "text/html" }, undefined],
    ["problem", "POST", "/things/1", 404, {}, "owner-not-found"],
    ["status of a problem", "POST", "/things/1", 404, {}, "database-unavailable"],
  ])("is found by its %s", (_what, method, path, status, headers, code) => {
    expect(faults(method, path, status, headers, code)).toHaveLength(1)
  })
})
