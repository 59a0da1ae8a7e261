// The set-up of a scenario: a system of its own, a client of both its services, its topics, and the comparison of both
// sides at the end.
import { createMirrorViews, type Difference, findDifferences } from "../../chaos/given/invariants.ts"
import { readEndpoints } from "../../stack/endpoints.ts"
import { type Client, givenClient } from "../../support/client.ts"
import { openedForFile } from "../../support/opened.ts"
import { givenSystem, type System, type SystemOptions } from "../../support/system.ts"
import { createTopics, type Topics } from "../../support/topics.ts"

export type Scenario = {
  system: System
  client: Client
  topics: Topics
  /** EQ and SUM, once the read side has everything that is committed so far. */
  differences: () => Promise<Difference[]>
}

/** A scenario for all tests of the file. */
export function givenScenario(base: string, options: SystemOptions = {}): Scenario {
  const system = givenSystem(base, options)
  const topics = openedForFile(
    () => createTopics(readEndpoints().kafkaBrokers),
    (opened) => opened.close(),
  )
  return {
    system,
    client: givenClient(system),
    topics: {
      length: (topic) => topics().length(topic),
      readAll: (names) => topics().readAll(names),
      write: (records) => topics().write(records),
      ranges: (names) => topics().ranges(names),
      expire: (offsets) => topics().expire(offsets),
      configure: (topic, name, value) => topics().configure(topic, name, value),
      close: () => topics().close(),
    },
    async differences() {
      await createMirrorViews(system.source)
      await system.caughtUp()
      return await findDifferences(system.source, system.reads, await system.liveSchema())
    },
  }
}
