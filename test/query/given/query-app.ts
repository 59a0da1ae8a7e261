// The real HTTP app over given read models, called without a socket; parts that a test is about can be given.
import { clientConfig } from "../../../db/connect.ts"
import { type AppDeps, type AppSource, createApp } from "../../../query/app.ts"
import type { ReadCache } from "../../../query/http/cache.ts"
import { createPositionSignal } from "../../../query/http/position-signal.ts"
import { createDocumentCheck } from "../../support/documented.ts"
import { quiet } from "../../support/quiet-log.ts"
import { heartbeatAt, type ReadModels, source } from "./read-models.ts"

export type QueryApp = {
  /** Throws if the answer is not one that the route documents. */
  get(path: string, headers?: Record<string, string>, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** A fixed clock, no cache and no further checks unless they are given. */
export function createQueryApp(
  models: ReadModels,
  deps: Partial<AppDeps> & { cache?: ReadCache; readiness?: AppSource["readiness"] } = {},
): QueryApp {
  const { cache = null, readiness = async () => ({}), ...more } = deps
  const positions = createPositionSignal({
    source,
    listen: clientConfig({ url: models.readerUrl, applicationName: "test signal" }),
    pool: models.reader,
    log: quiet,
  })
  positions.start()
  const app = createApp({
    role: "all",
    sources: [{ source, reading: { cache, positions }, holder: null, readiness }],
    reader: models.reader,
    log: quiet,
    now: () => heartbeatAt + 2_500,
    ...more,
  })
  const check = createDocumentCheck(async () => (await app.request("/openapi.json")).json())
  return {
    async get(path, headers = {}, init = {}) {
      const response = await app.request(path, { headers, ...init })
      const text = await response.clone().text()
      await check(init.method ?? "GET", path, response.status, response.headers, text)
      return response
    },
    close: () => positions.stop(),
  }
}
