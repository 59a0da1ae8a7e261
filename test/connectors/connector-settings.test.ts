import { describe, expect, test } from "vitest"
import {
  buildSettings,
  capturedTables,
  compareSettings,
  describeDifference,
} from "../../connectors/connector-settings.ts"

const names = { topicPrefix: "ecommerce", slotName: "ecommerce_slot" }

describe("settings", () => {
  test("capture the eleven tables in the publication's order of meaning", () => {
    expect(capturedTables(buildSettings(names))).toEqual([
      "public.customers",
      "public.products",
      "public.orders",
      "public.order_items",
      "public.payments",
      "public.order_events",
      "public.inventory",
      "public.refunds",
      "public.shipments",
      "public.shipment_items",
      "public.cdc_heartbeat",
    ])
  })

  test("hold no secret, only placeholders", () => {
    const settings = buildSettings(names)
    expect(settings["database.password"]).toBe("$" + "{env:CAPTURE_DATABASE_PASSWORD}")
    expect(settings["database.user"]).toMatch(/^\$\{env:/)
  })

  test("skip nothing that an END has counted", () => {
    expect(buildSettings(names)).toMatchObject({
      "provide.transaction.metadata": "true",
      "skipped.operations": "none",
      "tombstones.on.delete": "false",
      "errors.tolerance": "none",
      "event.processing.failure.handling.mode": "fail",
      "event.converting.failure.handling.mode": "fail",
      "snapshot.mode": "no_data",
      "offset.mismatch.strategy": "trust_offset",
      "publication.autocreate.mode": "disabled",
    })
  })

  test("take prefix, slot and database from the caller", () => {
    const settings = buildSettings({ topicPrefix: "t1", slotName: "t1_slot", databaseName: "orders_t1" })
    expect(settings).toMatchObject({
      "topic.prefix": "t1",
      "slot.name": "t1_slot",
      "database.dbname": "orders_t1",
      "notification.sink.topic.name": "t1.notifications",
    })
    expect(JSON.stringify(settings)).not.toContain("ecommerce")
  })

  test("make one partition of the topics that need an order, whatever the prefix", () => {
    const patterns = (buildSettings(names)["topic.creation.single.include"] ?? "").split(",")
    const isSingle = (topic: string) => patterns.some((pattern) => new RegExp(`^${pattern}$`).test(topic))
    for (const topic of [
      "t1.transaction",
      "t1.notifications",
      "__debezium-heartbeat.t1",
      "t1.public.cdc_heartbeat",
    ]) {
      expect(isSingle(topic), topic).toBe(true)
    }
    expect(isSingle("t1.public.orders")).toBe(false)
    expect(isSingle("t1.public.transaction")).toBe(false)
  })
})

describe("the difference to what runs", () => {
  const wanted = buildSettings(names)

  test("is empty for the same settings, although Connect adds the name", () => {
    expect(compareSettings({ ...wanted, name: "orders" }, wanted)).toEqual([])
  })

  test("names what is added, removed and changed, in order", () => {
    const { "plugin.name": _, ...withoutPlugin } = wanted
    const running = { ...withoutPlugin, "poll.interval.ms": "500", "snapshot.delay.ms": "1" }
    expect(compareSettings(running, wanted).map(describeDifference)).toEqual([
      "+ plugin.name: pgoutput",
      "~ poll.interval.ms: 500 -> 5",
      "- snapshot.delay.ms: 1",
    ])
  })

  test("masks a password that somebody typed, and shows the placeholder", () => {
    const running = { ...wanted, "database.password": "hunter2", "database.sslpassword": "swordfish" }
    const lines = compareSettings(running, wanted).map(describeDifference).join("\n")
    expect(lines).not.toMatch(/hunter2|swordfish/)
    expect(lines).toContain("~ database.password: ******** -> $" + "{env:CAPTURE_DATABASE_PASSWORD}")
  })

  test("masks a password inside a URL", () => {
    const running = { ...wanted, "value.converter.apicurio.registry.url": "http://me:hunter2@registry:8080" }
    expect(compareSettings(running, wanted).map(describeDifference).join()).not.toContain("hunter2")
  })
})
