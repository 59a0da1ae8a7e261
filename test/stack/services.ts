// The project's own part of the system on top of the infrastructure: databases migrated and filled with demo data,
// the connector registered, and both services running as processes.
import type { Layout } from "./layout.ts"
import type { Part } from "./native/process.ts"
import type { Progress } from "./progress.ts"
import type { Settings } from "./settings.ts"
import type { InfrastructureUrls } from "./stack.ts"

/** The two services and what must be done before they can run. */
export interface Services {
  readonly parts: readonly Part[]
  start(progress: Progress, signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}

/** Both services of a stack, running or not. */
export const createServices = (_layout: Layout, _urls: InfrastructureUrls, _settings: Settings): Services => {
  return { parts: [], start: async () => {}, stop: async () => {} }
}
