// What docker-compose.yml needs to run beside other checkouts: a project name of this stack's own, and its ports and
// passwords, which the file takes from the environment.
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { basename } from "node:path"
import type { Layout } from "../layout.ts"
import { signalGroup } from "../native/identity.ts"
import { inheritedEnvironment, type Settings } from "../settings.ts"

/** Services of docker-compose.yml by the part they are; tests start these and no others. */
export const composeServices = {
  commandDatabase: "command-database",
  queryDatabase: "query-database",
  kafka: "kafka",
  registry: "registry",
  connect: "connect",
  redis: "cache",
} as const

/** Name of the project whose containers, volumes and network belong to the stack in this directory. */
export function composeProject(directory: string): string {
  const key = createHash("sha256").update(directory).digest("hex").slice(0, 12)
  return `lockstep-${basename(directory).replace(/[^a-z-]/g, "")}-${key}`
}

/** Variables that docker-compose.yml reads. */
export function composeEnvironment({ ports, passwords }: Layout, settings: Settings): Record<string, string> {
  return {
    ADMIN_PASSWORD: passwords.admin,
    COMMAND_APP_PASSWORD: passwords.command_app,
    CAPTURE_PASSWORD: passwords.capture,
    BASE_LOADER_PASSWORD: passwords.base_loader,
    PROJECTOR_PASSWORD: passwords.projector,
    READER_PASSWORD: passwords.reader,
    COMMAND_DATABASE_PORT: String(ports.commandDatabase),
    QUERY_DATABASE_PORT: String(ports.queryDatabase),
    KAFKA_PORT: String(ports.kafka),
    REGISTRY_PORT: String(ports.registry),
    CONNECT_PORT: String(ports.connect),
    CACHE_PORT: String(ports.redis),
    COMMAND_PORT: String(settings.COMMAND_PORT),
    QUERY_PORT: String(settings.QUERY_PORT),
    LOG_LEVEL: settings.LOG_LEVEL,
  }
}

/** Runs `docker compose` for the stack of this layout until it ends or is interrupted; its words go to the terminal. */
export function runCompose(
  layout: Layout,
  settings: Settings,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("docker", ["compose", "--project-name", composeProject(layout.directory), ...args], {
      cwd: layout.project,
      env: { ...inheritedEnvironment(), ...composeEnvironment(layout, settings) },
      stdio: ["ignore", "inherit", "inherit"],
      // A group of its own: a Ctrl-C in the terminal must not end the `down` that it asks for.
      detached: true,
    })
    let killing: NodeJS.Timeout | undefined
    signal?.addEventListener("abort", () => {
      if (child.exitCode !== null) return
      signalGroup(child.pid, "SIGINT")
      killing = setTimeout(() => signalGroup(child.pid, "SIGKILL"), 10_000)
    })
    child.on("error", reject)
    child.on("exit", (code) => {
      clearTimeout(killing)
      if (code === 0) resolve()
      else reject(new Error(`docker compose ${args[0] ?? ""} failed: see its message above.`))
    })
  })
}
