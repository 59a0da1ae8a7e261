// The read side without a projector, for all tests of a file or anew for each: read models and the HTTP app over them.
import { openedForEachTest, openedForFile } from "../../support/opened.ts"
import { createQueryApp, type QueryApp } from "./query-app.ts"
import { createLiveReadModels, type OpenReadModels, type ReadModels } from "./read-models.ts"

type GivenReadSide = { models: ReadModels; app: Omit<QueryApp, "close"> }

/** With a generation that is live; `fill` writes the rows that the tests read, and the app is made after it. */
export const givenReadSide = (
  name: string,
  fill: (models: ReadModels) => Promise<void> = async () => {},
): GivenReadSide => readSideOf(openedForFile, () => createLiveReadModels(name), fill)

export const givenReadSideForEachTest = (open: () => Promise<OpenReadModels>): GivenReadSide =>
  readSideOf(openedForEachTest, open, async () => {})

function readSideOf(
  opened: typeof openedForFile,
  open: () => Promise<OpenReadModels>,
  fill: (models: ReadModels) => Promise<void>,
): GivenReadSide {
  const models = opened(open, (one) => one.close())
  const app = opened(
    async () => {
      await fill(models())
      return createQueryApp(models())
    },
    (one) => one.close(),
  )
  return {
    models: {
      get db() {
        return models().db
      },
      get reader() {
        return models().reader
      },
      get readerUrl() {
        return models().readerUrl
      },
      get adminUrl() {
        return models().adminUrl
      },
      addGeneration: (generation, options) => models().addGeneration(generation, options),
      dropGeneration: (generation) => models().dropGeneration(generation),
      commit: (change, options) => models().commit(change, options),
    },
    app: { get: (path, headers, init) => app().get(path, headers, init) },
  }
}
