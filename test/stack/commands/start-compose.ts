// `STACK=compose npm start`: the whole system of docker-compose.yml, in the foreground. The engine
// starts a container again when it crashes; Ctrl-C removes the containers and keeps the volumes with the data.
import { rmSync } from "node:fs"
import { composeProject, composeServices, runCompose } from "../compose/compose-project.ts"
import { writeEndpoints } from "../endpoints.ts"
import { prepareLayout } from "../layout.ts"
import { aborted, runErrand } from "../lifecycle.ts"
import { endpointsFile, takeOwnership } from "../ownership.ts"
import { createProgress } from "../progress.ts"
import type { Settings } from "../settings.ts"
import { localUrls } from "../stack.ts"
import { describeSystem } from "./welcome.ts"

/** Runs the system in containers until it is told to stop. */
export async function startCompose(directory: string, settings: Settings): Promise<number> {
  const began = Date.now()
  const progress = createProgress(console.log)
  const release = await takeOwnership(directory)
  try {
    const layout = await prepareLayout(directory, [settings.COMMAND_PORT, settings.QUERY_PORT])
    const services = settings.STACK_PARTS === "infra" ? Object.values(composeServices) : []
    let comingUp = Promise.resolve()
    const work = async (signal: AbortSignal): Promise<number> => {
      comingUp = progress.step("Containers", () =>
        runCompose(layout, settings, ["up", "--build", "--detach", "--wait", ...services], signal),
      )
      try {
        await comingUp
      } catch (error) {
        if (!signal.aborted) await runCompose(layout, settings, ["logs", "--tail", "20"])
        throw error
      }
      const { admin: _, ...passwords } = layout.passwords
      writeEndpoints(endpointsFile(directory), {
        stack: "compose",
        directory,
        commandUrl: `http://127.0.0.1:${settings.COMMAND_PORT}`,
        queryUrl: `http://127.0.0.1:${settings.QUERY_PORT}`,
        ...localUrls(layout),
        passwords,
        pids: {},
      })
      const logs = `docker compose --project-name ${composeProject(directory)} logs`
      progress.say(describeSystem(settings, logs, (Date.now() - began) / 1000))
      await aborted(signal)
      return 0
    }
    const stopAll = async () => {
      rmSync(endpointsFile(directory), { force: true })
      // Not while `up` may still add containers.
      await comingUp.catch(() => {})
      await runCompose(layout, settings, ["down"])
    }
    return await runErrand({ directory, work, parts: [], stopAll, codeWhenTold: 0 })
  } finally {
    release()
  }
}
