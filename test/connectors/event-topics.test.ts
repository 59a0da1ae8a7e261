// The topics of domain events are named on both sides: registering makes them, the projector publishes to them.
import { expect, test } from "vitest"
import { eventTopics } from "../../connectors/register.ts"
import { orderEvents } from "../../query/orders/events.ts"

test("registering makes the topics to which the projector publishes", () => {
  expect(eventTopics).toEqual([orderEvents.topic])
})
