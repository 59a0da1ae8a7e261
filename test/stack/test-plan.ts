// The order in which `npm test` runs the test files, and which of them run beside each other. A file of cdc or e2e has
// databases, connector and topics of its own and waits most of its time, so two of them share the processors well. Only
// the files that stop a server of the stack must not meet a file that needs this server.
import { basename } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Files that stop servers of the stack (through `stackParts`), by which. */
export const stoppers = {
  connect: ["test/chaos/exact-prefix.cdc.test.ts", "test/scenarios/sent-again.cdc.test.ts"],
  others: ["test/scenarios/outages.cdc.test.ts"],
}

/** One run of vitest: its title and its arguments. */
export type TestRun = { readonly title: string; readonly args: readonly string[] }

/** Stages, one after another; the runs of a stage go on beside each other. */
export const testPlan: readonly (readonly TestRun[])[] = [
  [
    { title: "unit, pg and redis tests", args: ["--project=unit", "--project=pg", "--project=redis"] },
    { title: "cdc tests that stop Connect", args: ["--project=cdc", ...stoppers.connect] },
  ],
  [
    {
      title: "cdc and e2e tests",
      args: [
        ...["--project=cdc", "--project=e2e", "--fileParallelism"],
        ...Object.values(stoppers)
          .flat()
          .map((file) => `--exclude=${file}`),
      ],
    },
  ],
  [{ title: "cdc tests that stop other servers", args: ["--project=cdc", ...stoppers.others] }],
]

const longest = ["giant-transaction.cdc.test.ts", "requests.e2e.test.ts"]

/** The order within a run is vitest's own (failed last time, slow last time), but the longest files are never left over. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = (file: TestSpecification): boolean => longest.includes(basename(file.moduleId))
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
