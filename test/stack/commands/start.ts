// `npm start`: the whole system on this machine, in the foreground. Brings the parts up in the order of the flow, says
// where everything is, and waits. Ctrl-C, SIGTERM and the crash of any part end it: all parts are stopped, in order.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { type Endpoints, endpointsOf, writeEndpoints } from "../endpoints.ts"
import { createInfrastructure, engineAnswers, kindOf } from "../infrastructure.ts"
import { installParts } from "../install.ts"
import { type Layout, prepareLayout, projectDirectory } from "../layout.ts"
import { aborted, runErrand } from "../lifecycle.ts"
import { endpointsFile, takeOwnership } from "../ownership.ts"
import { isFree } from "../ports.ts"
import { createProgress, type Progress } from "../progress.ts"
import { createServices } from "../services.ts"
import type { Settings } from "../settings.ts"
import type { Infrastructure } from "../stack.ts"
import { startCompose } from "./start-compose.ts"
import { describeSystem } from "./welcome.ts"

/** Directory of the stack that people start; tests have another. */
export const stackDirectory = join(projectDirectory, ".stack")

/** Runs the system until it is told to stop; the exit code is 0 after a stop on demand and 1 after a crash. */
export async function start(settings: Settings): Promise<number> {
  const kind = kindOf(settings)
  if (kind === "compose") return startCompose(stackDirectory, settings)
  const began = Date.now()
  const progress = createProgress(console.log)
  const mayRunContainers = settings.STACK === undefined ? engineAnswers() : Promise.resolve(false)
  const release = await takeOwnership(stackDirectory)
  try {
    await requireFreePorts(settings)
    const layout = await prepareLayout(stackDirectory, [settings.COMMAND_PORT, settings.QUERY_PORT])
    const system = createSystem(kind, layout, settings)
    const work = async (signal: AbortSignal): Promise<number> => {
      await system.start(progress, signal)
      writeEndpoints(endpointsFile(stackDirectory), system.endpoints())
      progress.say(describeSystem(settings, layout.logs, (Date.now() - began) / 1000))
      if (await mayRunContainers)
        progress.say("Docker answers here too: STACK=compose npm start runs it all in containers.")
      await aborted(signal)
      return 0
    }
    const stopAll = async () => {
      rmSync(endpointsFile(stackDirectory), { force: true })
      await system.stop()
    }
    return await runErrand({ work, parts: system.parts, stopAll, codeWhenTold: 0 })
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

function createSystem(kind: Infrastructure["kind"], layout: Layout, settings: Settings) {
  const infrastructure = createInfrastructure(kind, layout)
  const services =
    settings.STACK_PARTS === "infra" ? undefined : createServices(layout, infrastructure, settings)
  const ours = services?.parts ?? []
  return {
    parts: [...Object.values(infrastructure.parts), ...ours],
    start: async (progress: Progress, signal: AbortSignal): Promise<void> => {
      if (kind === "native") await installParts(progress, signal)
      signal.throwIfAborted()
      await infrastructure.start(progress)
      signal.throwIfAborted()
      await services?.start(progress, signal)
    },
    stop: async (): Promise<void> => {
      await services?.stop()
      await infrastructure.stop()
    },
    endpoints: (): Endpoints =>
      endpointsOf(infrastructure, layout.directory, {
        commandUrl: `http://127.0.0.1:${settings.COMMAND_PORT}`,
        queryUrl: `http://127.0.0.1:${settings.QUERY_PORT}`,
        parts: ours,
      }),
  }
}
