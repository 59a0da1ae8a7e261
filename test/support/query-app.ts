// The real HTTP app over given read models, called without a socket; parts that a test is about can be given.
import { pino } from "pino"
import { clientConfig } from "../../db/connect.ts"
import { type AppDeps, createApp } from "../../query/http/app.ts"
import { createPositionSignal } from "../../query/http/position-signal.ts"
import { heartbeatAt, type ReadModels, source } from "./read-models.ts"

export type QueryApp = {
  get(path: string, headers?: Record<string, string>, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

export const quiet = pino({ level: "error" })

export function createQueryApp(models: ReadModels, deps: Partial<AppDeps> = {}): QueryApp {
  const positions = createPositionSignal({
    source,
    listen: clientConfig({ url: models.readerUrl, applicationName: "test signal" }),
    pool: models.reader,
    log: quiet,
  })
  positions.start()
  const app = createApp({
    source,
    reader: models.reader,
    cache: null,
    positions,
    log: quiet,
    readiness: async () => ({}),
    now: () => heartbeatAt + 2_500,
    ...deps,
  })
  return {
    get: async (path, headers = {}, init = {}) => await app.request(path, { headers, ...init }),
    close: () => positions.stop(),
  }
}
