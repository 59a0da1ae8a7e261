// `npm start`: the whole system on this machine, in the foreground. Brings the parts up in the order of the flow, says
// where everything is, and waits. Ctrl-C, SIGTERM and the crash of any part end it: all parts are stopped, in order.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { type Endpoints, writeEndpoints } from "./endpoints.ts"
import { installParts } from "./install.ts"
import { type Layout, prepareLayout, projectDirectory } from "./layout.ts"
import { createNativeInfrastructure } from "./native/native.ts"
import { lastLines, type Part } from "./native/process.ts"
import { isFree } from "./ports.ts"
import { createProgress, type Progress } from "./progress.ts"
import { createServices, type Services } from "./services.ts"
import type { Settings } from "./settings.ts"
import type { Infrastructure } from "./stack.ts"
import { endpointsFile, firstCrash, takeOwnership } from "./supervisor.ts"

/** Directory of the stack that people start; tests have another. */
export const stackDirectory = join(projectDirectory, ".stack")

/** Runs the system until it is told to stop; the exit code is 0 after a stop on demand and 1 after a crash. */
export const start = async (settings: Settings): Promise<number> => {
  const progress = createProgress(console.log)
  await requireFreePorts(settings)
  const release = await takeOwnership({ run: join(stackDirectory, "run") }, stackDirectory)
  const told = signalReceived()
  try {
    const began = Date.now()
    const layout = await prepareLayout(stackDirectory, [settings.COMMAND_PORT, settings.QUERY_PORT])
    const infrastructure = createNativeInfrastructure(layout)
    const services =
      settings.STACK_PARTS === "infra" ? undefined : createServices(layout, infrastructure.urls, settings)
    const parts = [...Object.values(infrastructure.parts), ...(services?.parts ?? [])]
    const started = bringUp(infrastructure, services, told.signal, progress).then(() => {
      writeEndpoints(endpointsFile(stackDirectory), endpointsOf(layout, infrastructure, parts, settings))
      printWelcome(progress, settings, (Date.now() - began) / 1000)
    })
    return await untilTold(told, started, parts, async () => {
      rmSync(endpointsFile(stackDirectory), { force: true })
      await services?.stop()
      await infrastructure.stop()
    })
  } finally {
    release()
  }
}

const requireFreePorts = async (settings: Settings): Promise<void> => {
  if (settings.STACK_PARTS === "infra") return
  for (const name of ["COMMAND_PORT", "QUERY_PORT"] as const) {
    if (await isFree(settings[name])) continue
    throw new Error(
      `Port ${settings[name]} is taken by another program: stop that program, or choose a port with ${name}=<number>.`,
    )
  }
}

const bringUp = async (
  infrastructure: Infrastructure,
  services: Services | undefined,
  signal: AbortSignal,
  progress: Progress,
): Promise<void> => {
  await installParts(progress, signal)
  signal.throwIfAborted()
  await infrastructure.start(progress)
  signal.throwIfAborted()
  await services?.start(progress, signal)
}

// The first signal asks for an orderly stop; npm repeats the terminal's own, so another one counts only after a while.
const signalReceived = () => {
  const controller = new AbortController()
  let first: number | undefined
  const receive = () => {
    if (first !== undefined && Date.now() - first > 2000) process.exit(130)
    if (first === undefined) console.log("\nStopping ... (once more to leave at once)")
    first ??= Date.now()
    controller.abort()
  }
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, receive)
  const received = new Promise<"told">((resolve) => {
    controller.signal.addEventListener("abort", () => resolve("told"))
  })
  return { signal: controller.signal, received }
}

const untilTold = async (
  told: ReturnType<typeof signalReceived>,
  started: Promise<void>,
  parts: readonly Part[],
  stopAll: () => Promise<void>,
): Promise<number> => {
  const watching = new AbortController()
  const failed = started.then(
    () => firstCrash(parts, watching.signal),
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )
  const end = await Promise.race([told.received, failed])
  watching.abort()
  const began = Date.now()
  if (end !== "told") console.error(describe(end))
  // A start that is under way may still bring up the next part: stop until it has ended.
  let settled = false
  const settling = started
    .catch(() => {})
    .finally(() => {
      settled = true
    })
  do {
    await stopAll()
    await Promise.race([settling, pause(200)])
  } while (!settled)
  await stopAll()
  console.log(`Stopped everything in ${((Date.now() - began) / 1000).toFixed(1)} s.`)
  return end === "told" ? 0 : 1
}

const describe = (end: Part | Error): string =>
  end instanceof Error
    ? `\n${end.message}`
    : `\n${end.name} ended by itself; everything is stopped. Its last lines, from ${end.log}:\n${lastLines(end.log)}`

const endpointsOf = (
  layout: Layout,
  infrastructure: Infrastructure,
  parts: readonly Part[],
  settings: Settings,
): Endpoints => {
  const { admin: _, ...passwords } = layout.passwords
  return {
    stack: "native",
    directory: layout.directory,
    commandUrl: `http://127.0.0.1:${settings.COMMAND_PORT}`,
    queryUrl: `http://127.0.0.1:${settings.QUERY_PORT}`,
    ...infrastructure.urls,
    passwords,
    pids: Object.fromEntries(parts.map((part) => [part.name, part.identity()?.pid ?? 0])),
  }
}

const printWelcome = (progress: Progress, settings: Settings, seconds: number): void => {
  const command = `http://localhost:${settings.COMMAND_PORT}`
  const query = `http://localhost:${settings.QUERY_PORT}`
  progress.say(
    `\nEverything runs after ${seconds.toFixed(1)} s; logs are in ${stackDirectory}/logs, Ctrl-C stops it all.`,
  )
  if (settings.STACK_PARTS === "infra") return
  progress.say(`
  commands  ${command}
  queries   ${query}

Try:
  curl -X POST ${command}/orders -H "Content-Type: application/json" \\
    -d '{"customer_id": "customer-123", "items": [{"product_id": "product-456", "quantity": 2, "price": 29.99}]}'
  curl ${query}/orders/{the id from the answer}
  curl "${query}/analytics/orders?period=monthly"
`)
}
