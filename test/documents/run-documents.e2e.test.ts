// Follows the documents as a reader does: types what stands after each prompt, from top to bottom, and compares what is
// printed (document.ts says which blocks are typed, compare.ts what `…` stands for). A reader has the two services of
// `npm start`; here `localhost:8080` and `localhost:8081` in a command become the addresses of the test's own services.
// Requests are sent twice, because a reader may come back to a system that is in use.
import { describe, expect, test } from "vitest"
import { projectDirectory } from "../stack/layout.ts"
import { inheritedEnvironment } from "../stack/settings.ts"
import { givenSystem } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"
import { differenceOf } from "./compare.ts"
import { stepsOf } from "./document.ts"
import { readDocuments } from "./documents.ts"
import { typeInto } from "./shell.ts"

const limitMs = 200_000
const documents = readDocuments()
  .map(({ file, text }) => ({ file, steps: stepsOf(text) }))
  .filter(({ steps }) => steps.length > 0)
const system = givenSystem("documents")

/** The test's own services in place of those of `npm start`. */
function addressed(command: string): string {
  const hostOf = (url: string): string => new URL(url).host
  return command
    .replaceAll("localhost:8080", hostOf(system.commandUrl))
    .replaceAll("localhost:8081", hostOf(system.query.url()))
}

/** What the operations need to work on the test's own system, as they would on one that the environment names. */
function environment(): NodeJS.ProcessEnv {
  const { adminUrl, slotName, databaseName } = system.registration
  return {
    ...inheritedEnvironment(),
    ...system.queryEnvironment,
    COMMAND_ADMIN_URL: adminUrl,
    ...(slotName === undefined ? {} : { SLOT_NAME: slotName }),
    ...(databaseName === undefined ? {} : { CONNECTOR_DATABASE_NAME: databaseName }),
  }
}

test("reads the documents that show how the system is used", () => {
  const names = documents.map(({ file }) => file)
  expect(names).toEqual(expect.arrayContaining(["README.md", "command/README.md", "query/http/README.md"]))
})

async function follow({ file, steps }: (typeof documents)[number]): Promise<void> {
  await waitFor(async () => (await fetch(`${system.query.url()}/readyz`)).ok, "the system is ready")
  const printed = await typeInto(
    steps.map(({ command }) => addressed(command)),
    { directory: projectDirectory, environment: environment(), limitMs },
  )
  const differences = steps.flatMap((step, index) => differenceOf(file, step, printed[index] ?? "") ?? [])
  if (differences.length > 0) throw new Error(differences.join("\n\n"))
}

describe("followed from top to bottom", () => {
  test.each(documents)("$file prints what it says", follow, limitMs + 10_000)
})

describe("followed on a system that was used before", () => {
  const sending = documents.filter(({ steps }) => steps.every(({ command }) => !command.includes("lockstep")))
  test.each(sending)("$file prints what it says", follow, limitMs + 10_000)
})
