// `npm run dev`: the infrastructure, and both services from their sources, each restarted when a file that it imports
// changes. With `-- --inspect` each service has a debugger port. The log lines of both are shown, after their names.
import { join } from "node:path"
import { kindOf } from "../infrastructure.ts"
import { tailOf } from "../log-files.ts"
import { isFree } from "../ports.ts"
import type { Watching } from "../services.ts"
import type { Settings } from "../settings.ts"
import { runSystem } from "../system.ts"
import { stackDirectory } from "./start.ts"

/** Runs the system until it is told to stop, as `npm start` does. */
export async function dev(settings: Settings, args: readonly string[]): Promise<number> {
  const unknown = args.find((argument) => argument !== "--inspect")
  if (unknown !== undefined) {
    console.error(`npm run dev does not know ${unknown}; it takes -- --inspect and nothing else.`)
    return 2
  }
  const kind = kindOf(settings)
  if (kind === "compose") {
    console.error("npm run dev runs the services from their sources: leave STACK=compose away.")
    return 2
  }
  const watching: Watching = args.includes("--inspect") ? { inspectors: await inspectorPorts() } : {}
  return runSystem({
    kind,
    directory: stackDirectory,
    settings: { ...settings, STACK_PARTS: "all" },
    watching,
    onRunning: (progress, layout, seconds, signal) => {
      progress.say(describe(settings, watching, layout.logs, seconds))
      for (const name of ["command", "query"] as const) {
        show(name, join(layout.logs, `${name}.log`), signal)
      }
    },
  })
}

/** The usual port of an inspector and the next one, or the first two after them where no program listens. */
async function inspectorPorts(): Promise<Record<"command" | "query", number>> {
  const freeFrom = async (port: number): Promise<number> => ((await isFree(port)) ? port : freeFrom(port + 1))
  const command = await freeFrom(9229)
  return { command, query: await freeFrom(command + 1) }
}

function show(name: string, log: string, signal: AbortSignal): void {
  const showNew = tailOf(log, shownAtFirst, (line) => console.log(`${name.padEnd(7)} | ${line}`))
  const timer = setInterval(showNew, 200)
  signal.addEventListener("abort", () => clearInterval(timer))
}

const shownAtFirst = 10

function describe(settings: Settings, { inspectors }: Watching, logs: string, seconds: number): string {
  const line = (name: "command" | "query", port: number): string =>
    `  ${name.padEnd(9)} http://localhost:${port}${inspectors ? `   inspector 127.0.0.1:${inspectors[name]}` : ""}`
  return `
Everything runs after ${seconds.toFixed(1)} s. A service restarts when a file of its changes. Logs: ${logs}

${line("command", settings.COMMAND_PORT)}
${line("query", settings.QUERY_PORT)}

Ctrl-C stops everything; the data is kept for the next start.
`
}
