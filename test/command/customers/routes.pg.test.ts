import { randomUUID } from "node:crypto"
import { describe, expect, test } from "vitest"
import { givenService } from "../given/running-service.ts"

const service = givenService()

const address = { street: "1 Main St", city: "New York", zip: "10001" }
const someone = () => ({ email: `${randomUUID()}@example.com`, name: "Edith Example" })

describe("a customer", () => {
  test("is created, then changed member by member", async () => {
    const request = { ...someone(), phone: "+1 212 555 0100", address }
    const created = await service.call("POST", "/customers", request)
    expect(created.status).toBe(201)
    expect(created.body).toMatchObject({ ...request, version: 1, id: expect.stringMatching(/^customer-/) })
    const path = `/customers/${String(created.body.id)}`
    expect(created.headers.get("location")).toBe(path)
    expect(created.headers.get("consistency-token")).toMatch(/^v1:orders:\d+-\d+:\d+:\d+$/)

    const changed = await service.call("PATCH", path, { name: "Edith Other", phone: null })
    expect(changed.body).toMatchObject({ ...request, name: "Edith Other", phone: null, version: 2 })
    expect(changed.headers.get("etag")).toBe('"2"')

    const moved = await service.call("PATCH", path, { address: null }, { "If-Match": '"2-abc"' })
    expect(moved.body).toMatchObject({ name: "Edith Other", address: null, version: 3 })

    const late = await service.call("PATCH", path, { name: "x" }, { "If-Match": '"2"' })
    expect(late.status).toBe(412)
    expect(late.body).toMatchObject({ current_version: 3 })
  })

  test("cannot take another's e-mail address, whatever its case", async () => {
    const taken = { name: "Ada", email: "ADA@example.com" }
    const created = await service.call("POST", "/customers", taken)
    expect([created.status, created.body.type]).toEqual([409, "urn:lockstep:problem:email-taken"])
    const changed = await service.call("PATCH", "/customers/customer-124", { email: "Ada@Example.com" })
    expect([changed.status, changed.body.type]).toEqual([409, "urn:lockstep:problem:email-taken"])
  })

  test("that does not exist cannot be changed", async () => {
    const { status, body } = await service.call("PATCH", "/customers/nobody", { name: "x" })
    expect([status, body.type]).toEqual([404, "urn:lockstep:problem:customer-not-found"])
  })
})
