// The whole system of one directory: infrastructure and, unless the settings leave them out, both services. Commands
// that own a system (`npm start`, `npm run dev`) run it through here until they are told to stop.
import { rmSync } from "node:fs"
import { type Endpoints, endpointsOf, writeEndpoints } from "./endpoints.ts"
import { createInfrastructure } from "./infrastructure.ts"
import { installParts } from "./install.ts"
import { type Layout, prepareLayout } from "./layout.ts"
import { aborted, runErrand } from "./lifecycle.ts"
import type { Part } from "./native/process.ts"
import { endpointsFile, takeOwnership } from "./ownership.ts"
import { isFree } from "./ports.ts"
import { createProgress, type Progress } from "./progress.ts"
import { createServices, type Watching } from "./services.ts"
import type { Settings } from "./settings.ts"
import type { Infrastructure } from "./stack.ts"

/** The kind of a system, its directory and settings, and the function that is called once it runs. */
export type SystemRun = {
  readonly kind: Infrastructure["kind"]
  readonly directory: string
  readonly settings: Settings
  /** The services restart when a file of theirs changes. */
  readonly watching?: Watching
  /** Called when everything runs, with the seconds that it took and a signal that is aborted when it ends. */
  readonly onRunning: (
    progress: Progress,
    layout: Layout,
    seconds: number,
    signal: AbortSignal,
  ) => void | Promise<void>
}

/** Runs the system until it is told to stop; the exit code is 0 after a stop on demand and 1 after a crash. */
export async function runSystem(run: SystemRun): Promise<number> {
  const { directory, settings } = run
  const began = Date.now()
  const progress = createProgress(console.log)
  const release = await takeOwnership(directory)
  try {
    await requireFreePorts(settings)
    const layout = await prepareLayout(directory, [settings.COMMAND_PORT, settings.QUERY_PORT])
    const system = createSystem(run, layout)
    const work = async (signal: AbortSignal): Promise<number> => {
      await system.start(progress, signal)
      writeEndpoints(endpointsFile(directory), system.endpoints())
      await run.onRunning(progress, layout, (Date.now() - began) / 1000, signal)
      await aborted(signal)
      return 0
    }
    const stopAll = async () => {
      rmSync(endpointsFile(directory), { force: true })
      await system.stop()
    }
    return await runErrand({ directory, work, parts: system.parts, stopAll, codeWhenTold: 0 })
  } finally {
    release()
  }
}

async function requireFreePorts(settings: Settings): Promise<void> {
  if (settings.STACK_PARTS === "infra") return
  for (const name of ["COMMAND_PORT", "QUERY_PORT"] as const) {
    if (await isFree(settings[name])) continue
    throw new Error(
      `Port ${settings[name]} is taken by another program: stop that program, or choose a port with ${name}=<number>.`,
    )
  }
}

type System = {
  readonly parts: readonly Part[]
  readonly start: (progress: Progress, signal: AbortSignal) => Promise<void>
  readonly stop: () => Promise<void>
  readonly endpoints: () => Endpoints
}

function createSystem({ kind, settings, watching }: SystemRun, layout: Layout): System {
  const infrastructure = createInfrastructure(kind, layout)
  const services =
    settings.STACK_PARTS === "infra" ? undefined : createServices(layout, infrastructure, settings, watching)
  const ours = services?.parts ?? []
  return {
    parts: [...Object.values(infrastructure.parts), ...ours],
    start: async (progress, signal) => {
      if (kind === "native") await installParts(progress, signal)
      signal.throwIfAborted()
      await infrastructure.start(progress)
      signal.throwIfAborted()
      await services?.start(progress, signal)
    },
    stop: async () => {
      await services?.stop()
      await infrastructure.stop()
    },
    endpoints: () =>
      endpointsOf(infrastructure, layout.directory, {
        commandUrl: `http://127.0.0.1:${settings.COMMAND_PORT}`,
        queryUrl: `http://127.0.0.1:${settings.QUERY_PORT}`,
        parts: ours,
      }),
  }
}
