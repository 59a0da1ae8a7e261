// A service as a process of its own, so that a test can kill it the way an operator's machine would.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { argumentsOf } from "../stack/compiled.ts"
import { projectDirectory } from "../stack/layout.ts"
import { inheritedEnvironment } from "../stack/settings.ts"
import { noteStarted } from "./started-processes.ts"

export type LogLine = { level: number; msg: string; [field: string]: unknown }

export type ServiceProcess = {
  /** Resolves to the URL when it listens. */
  start: () => Promise<string>
  url: () => string
  /** SIGKILL, and waits until it is gone. */
  kill: () => Promise<void>
  /** SIGTERM, and waits until it has ended by itself; resolves to its exit code. */
  stop: () => Promise<number | null>
  /** Waits until it has ended by itself; resolves to its exit code. */
  exited: () => Promise<number | null>
  signal: (signal: NodeJS.Signals) => void
  pid: () => number | undefined
  /** Everything logged so far, over all starts. */
  logs: LogLine[]
}

/** The service listens on a port of its choice unless the environment names one. */
export function createServiceProcess(
  service: "command" | "query",
  environment: Record<string, string>,
  nodeArguments: readonly string[] = [],
): ServiceProcess {
  const logs: LogLine[] = []
  let child: ChildProcess | null = null
  let url = ""

  return {
    async start() {
      const started = spawn(process.execPath, [...nodeArguments, ...argumentsOf(`${service}/main`)], {
        cwd: projectDirectory,
        env: {
          ...inheritedEnvironment(),
          COMMAND_PORT: "0",
          QUERY_PORT: "0",
          LOG_LEVEL: "info",
          ...environment,
        },
        stdio: ["ignore", "pipe", "pipe"],
      })
      child = started
      noteStarted(started, `the ${service} service (pid ${started.pid})`)
      const first = logs.length
      createInterface({ input: started.stdout }).on("line", (line) => logs.push(parseLine(line)))
      createInterface({ input: started.stderr }).on("line", (line) => logs.push({ level: 60, msg: line }))
      for (;;) {
        const listening = logs.slice(first).find((line) => typeof line.url === "string")
        if (listening) {
          url = String(listening.url)
          return url
        }
        if (started.exitCode !== null || started.signalCode !== null) {
          throw new Error(
            `the ${service} service ended at once:\n${logs
              .slice(first)
              .map((line) => line.msg)
              .join("\n")}`,
          )
        }
        await sleep(10)
      }
    },
    url: () => url,
    async kill() {
      if (!child || !isAlive(child)) return
      child.kill("SIGKILL")
      await once(child, "exit")
    },
    async stop() {
      const ending = child
      if (!ending) return null
      if (isAlive(ending)) {
        ending.kill("SIGTERM")
        await once(ending, "exit")
      }
      return ending.exitCode
    },
    async exited() {
      const ending = child
      if (ending && isAlive(ending)) await once(ending, "exit")
      return ending?.exitCode ?? null
    },
    signal: (signal) => void child?.kill(signal),
    pid: () => child?.pid,
    logs,
  }
}

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line)
  } catch {
    return { level: 60, msg: line }
  }
}
