// The project's own part of the system on top of the infrastructure: databases migrated and filled with demo data,
// the connector registered, and both services running as processes of their own.
import { join } from "node:path"
import { registerConnector } from "../../connectors/register.ts"
import { loadDemoData } from "../../db/demo-data.ts"
import { migrateCommandDatabase, migrateQueryDatabase } from "../../db/migrate.ts"
import { httpAnswers } from "./health.ts"
import { type Layout, projectDirectory } from "./layout.ts"
import { createPart, type Part } from "./native/process.ts"
import type { Progress } from "./progress.ts"
import type { Settings } from "./settings.ts"
import type { Infrastructure, InfrastructureUrls } from "./stack.ts"

/** The two services and what must be done before they can run. */
export type Services = {
  readonly parts: readonly Part[]
  readonly start: (progress: Progress, signal: AbortSignal) => Promise<void>
  readonly stop: () => Promise<void>
}

/** How the services run: restarted whenever a file of theirs changes, with an inspector on these ports if any. */
export type Watching = { readonly inspectors?: Readonly<Record<"command" | "query", number>> }

/** Both services of a stack, running or not. */
export function createServices(
  layout: Layout,
  { urls, passwords }: Pick<Infrastructure, "urls" | "passwords">,
  settings: Settings,
  watching?: Watching,
): Services {
  const { command_app, capture, base_loader, projector, reader } = passwords
  const databaseAs = (url: string, role: string, password: string): string => {
    const changed = new URL(url)
    changed.username = role
    changed.password = password
    return changed.href
  }
  const command = service(layout, watching, "command", settings.COMMAND_PORT, {
    COMMAND_HOST: "127.0.0.1",
    COMMAND_PORT: String(settings.COMMAND_PORT),
    COMMAND_DATABASE_URL: databaseAs(urls.commandDatabaseUrl, "command_app", command_app),
    LOG_LEVEL: settings.LOG_LEVEL,
  })
  const query = service(layout, watching, "query", settings.QUERY_PORT, {
    QUERY_HOST: "127.0.0.1",
    QUERY_PORT: String(settings.QUERY_PORT),
    PROJECTOR_DATABASE_URL: databaseAs(urls.queryDatabaseUrl, "projector", projector),
    READER_DATABASE_URL: databaseAs(urls.queryDatabaseUrl, "reader", reader),
    SOURCE_DATABASE_URL: databaseAs(urls.commandDatabaseUrl, "base_loader", base_loader),
    KAFKA_BROKERS: urls.kafkaBrokers,
    SCHEMA_REGISTRY_URL: urls.registryUrl,
    CONNECT_URL: urls.connectUrl,
    REDIS_URL: urls.redisUrl,
    LOG_LEVEL: settings.LOG_LEVEL,
    ...capturing,
  })
  return {
    parts: [command, query],
    stop: async () => {
      await Promise.all([query.stop(), command.stop()])
    },
    start: async (progress, signal) => {
      await progress.step("Databases migrated, demo data", async () => {
        await Promise.all([
          migrateCommandDatabase({
            adminUrl: urls.commandDatabaseUrl,
            passwords: { command_app, capture, base_loader },
          }).then(() => loadDemoData(urls.commandDatabaseUrl)),
          migrateQueryDatabase({ adminUrl: urls.queryDatabaseUrl, passwords: { projector, reader } }),
        ])
      })
      signal.throwIfAborted()
      const commandUp = progress.step("Command service", command.start, `127.0.0.1:${settings.COMMAND_PORT}`)
      const queryUp = progress
        .step("Connector registered, task running", () => register(urls))
        .then(() => signal.throwIfAborted())
        .then(() => progress.step("Query service", query.start, `127.0.0.1:${settings.QUERY_PORT}`))
      await Promise.all([commandUp, queryUp])
    },
  }
}

/** More than the 25 s that a service gives itself: query/main.ts has the sum. */
const stopTimeoutMs = 30_000

const tsx = join(projectDirectory, "node_modules/tsx/dist/cli.mjs")

const capturing = { CONNECTOR_NAME: "orders", TOPIC_PREFIX: "ecommerce" }

async function register(urls: InfrastructureUrls): Promise<void> {
  await registerConnector({
    connectUrl: urls.connectUrl,
    kafkaBrokers: urls.kafkaBrokers,
    adminUrl: urls.commandDatabaseUrl,
    connectorName: capturing.CONNECTOR_NAME,
    topicPrefix: capturing.TOPIC_PREFIX,
    slotName: "ecommerce_slot",
  })
}

function programArguments(name: "command" | "query", watching: Watching | undefined): string[] {
  if (watching === undefined) return ["--import", "tsx"]
  const port = watching.inspectors?.[name]
  const inspect = port === undefined ? [] : [`--inspect=127.0.0.1:${port}`]
  return [tsx, "watch", "--clear-screen=false", ...inspect]
}

function service(
  layout: Layout,
  watching: Watching | undefined,
  name: "command" | "query",
  port: number,
  environment: Readonly<Record<string, string>>,
): Part {
  return createPart(
    {
      name,
      command: process.execPath,
      args: [...programArguments(name, watching), join(projectDirectory, name, "main.ts")],
      cwd: projectDirectory,
      environment,
      stopSignal: "SIGTERM",
      startTimeoutMs: 120_000,
      stopTimeoutMs,
      healthy: () => httpAnswers(`http://127.0.0.1:${port}/readyz`),
    },
    layout,
  )
}
