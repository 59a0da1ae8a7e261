// The order in which test files begin. A file with a system of its own mostly waits for Kafka and Connect, and a file
// that needs databases or nothing keeps the processors busy; so the two kinds are dealt out evenly, like four files of
// the second kind after each of the first. The longest files begin first: none of them is left over at the end.
import { basename } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const longest = ["giant-transaction.cdc.test.ts", "requests.e2e.test.ts"]
const waiting = new Set(["cdc", "e2e"])

/** What vitest asks for the order. Within one kind it is vitest's own: failed last time, then slow last time. */
export class TestOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const first = sorted.filter((file) => longest.includes(basename(file.moduleId)))
    const rest = sorted.filter((file) => !first.includes(file))
    return [
      ...first,
      ...deal(
        rest.filter((file) => waiting.has(file.project.name)),
        rest.filter((file) => !waiting.has(file.project.name)),
      ),
    ]
  }
}

/** Both lists as one, each in its order and evenly spread: 2 and 4 become a b b a b b. */
export function deal<Item>(some: readonly Item[], others: readonly Item[]): Item[] {
  const spread = (items: readonly Item[], offset: number) =>
    items.map((item, index) => ({ item, at: (index + offset) / items.length }))
  return [...spread(some, 0), ...spread(others, 0.5)].sort((a, b) => a.at - b.at).map(({ item }) => item)
}
