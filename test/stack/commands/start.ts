// `npm start`: the whole system in the foreground. Brings up the infrastructure, then the two services, prints where
// everything is, and waits. Ctrl-C, SIGTERM and the crash of any part end it: all parts are stopped, in order.
import { join } from "node:path"
import { engineAnswers, kindOf } from "../infrastructure.ts"
import { projectDirectory } from "../layout.ts"
import type { Settings } from "../settings.ts"
import { runSystem } from "../system.ts"
import { startCompose } from "./start-compose.ts"
import { describeSystem } from "./welcome.ts"

/** Directory of the stack that people start; tests have another. */
export const stackDirectory = join(projectDirectory, ".stack")

/** Runs the system until it is told to stop; the exit code is 0 after a stop on demand and 1 after a crash. */
export async function start(settings: Settings): Promise<number> {
  const kind = kindOf(settings)
  if (kind === "compose") return startCompose(stackDirectory, settings)
  const mayRunContainers = settings.STACK === undefined ? engineAnswers() : Promise.resolve(false)
  return runSystem({
    kind,
    directory: stackDirectory,
    settings,
    onRunning: async (progress, layout, seconds) => {
      progress.say(describeSystem(settings, layout.logs, seconds))
      if (await mayRunContainers)
        progress.say("Docker answers here too: STACK=compose npm start runs it all in containers.")
    },
  })
}
