// The samples' tables on the real connector, for all tests of a file: their rows on both sides, and the comparison.
import { createMirrorViews, type Difference, findDifferences } from "../../chaos/given/invariants.ts"
import { readEndpoints } from "../../stack/endpoints.ts"
import { openedForFile } from "../../support/opened.ts"
import { createTopics, type Topics } from "../../support/topics.ts"
import { createOwnDomain, type OwnDomain } from "./own-domain.ts"
import { sampleDdl, sampleProjections, sampleTables } from "./samples.ts"

export type SampleDomain = {
  domain: () => OwnDomain
  topics: () => Topics
  /** EQ and SUM, once the read side has everything that is committed so far. */
  differences: () => Promise<Difference[]>
}

export function givenSampleDomain(
  base: string,
  connectorSettings: Record<string, string> = {},
): SampleDomain {
  const domain = openedForFile(
    async () => {
      const opened = await createOwnDomain(base, {
        ddl: sampleDdl,
        captured: sampleTables,
        projections: sampleProjections,
        connectorSettings,
      })
      await createMirrorViews(opened.source, sampleProjections)
      return opened
    },
    (opened) => opened.drop(),
  )
  const topics = openedForFile(
    () => createTopics(readEndpoints().kafkaBrokers),
    (opened) => opened.close(),
  )
  return {
    domain,
    topics,
    async differences() {
      const { source, reads, caughtUp, liveSchema } = domain()
      await caughtUp()
      return await findDifferences(source, reads, await liveSchema(), sampleProjections)
    },
  }
}
