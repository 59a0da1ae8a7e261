import { expect, test } from "vitest"
import { planTopics } from "../../connectors/topics.ts"

const topics = planTopics({
  topicPrefix: "t1",
  captured: ["public.orders", "public.cdc_heartbeat"],
  events: ["order-events"],
})
const find = (topic: string) => topics.find((specification) => specification.topic === topic)

test("a connector's topics are planned with their partitions", () => {
  expect(Object.fromEntries(topics.map(({ topic, partitions }) => [topic, partitions]))).toEqual({
    "t1.transaction": 1,
    "t1.public.orders": 6,
    "t1.public.cdc_heartbeat": 1,
    "t1.order-events": 6,
    "t1.notifications": 1,
    "__debezium-heartbeat.t1": 1,
  })
})

test("the commit log must have one partition, a data topic no fewer than six", () => {
  expect(find("t1.transaction")?.onWrongPartitions).toBe("refuse")
  expect(find("t1.public.orders")?.onWrongPartitions).toBe("refuse-fewer")
})

test("the commit log outlives the data that it completes", () => {
  const retention = (topic: string) => Number(find(topic)?.config["retention.ms"])
  expect(retention("t1.transaction")).toBeGreaterThan(retention("t1.public.orders"))
})

test("no topic is compacted", () => {
  for (const { topic, config } of topics) expect(config["cleanup.policy"], topic).toBe("delete")
})
