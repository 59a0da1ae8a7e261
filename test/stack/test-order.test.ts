import { expect, it } from "vitest"
import { deal } from "./test-order.ts"

it.each([
  [["a", "a"], ["b", "b", "b", "b"], "abbabb"],
  [[], ["b", "b"], "bb"],
  [["a"], [], "a"],
])("deals %j and %j out evenly", (some, others, dealt) => {
  expect(deal(some, others).join("")).toBe(dealt)
})
