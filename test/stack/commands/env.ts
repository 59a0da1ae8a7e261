// `eval "$(npm run -s stack:env)"`: gives the shell what the project's programs read, for the stack that runs in this
// checkout, so that `npm run projection:rebuild`, `connectors:status` and the like work on it. Prints passwords.
import { existsSync } from "node:fs"
import { type Endpoints, readEndpointsFile } from "../endpoints.ts"
import { endpointsFile } from "../ownership.ts"
import type { Settings } from "../settings.ts"
import { stackDirectory } from "./start.ts"

/** Prints the variables as shell commands; the exit code is 1 when no stack runs. */
export const env = async (_settings: Settings): Promise<number> => {
  const file = endpointsFile(stackDirectory)
  if (!existsSync(file)) {
    console.error(`No stack runs in ${stackDirectory}: start one with npm start or npm run stack:up.`)
    return 1
  }
  for (const [name, value] of Object.entries(variablesOf(readEndpointsFile(file)))) {
    console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`)
  }
  return 0
}

/** The variables of .env.example that say where the parts of a running stack are. */
export const variablesOf = (stack: Endpoints): Record<string, string> => {
  const as = (url: string, role: keyof Endpoints["passwords"]): string => {
    const changed = new URL(url)
    changed.username = role
    changed.password = stack.passwords[role]
    return changed.href
  }
  return {
    COMMAND_ADMIN_URL: stack.commandDatabaseUrl,
    QUERY_ADMIN_URL: stack.queryDatabaseUrl,
    COMMAND_DATABASE_URL: as(stack.commandDatabaseUrl, "command_app"),
    SOURCE_DATABASE_URL: as(stack.commandDatabaseUrl, "base_loader"),
    PROJECTOR_DATABASE_URL: as(stack.queryDatabaseUrl, "projector"),
    READER_DATABASE_URL: as(stack.queryDatabaseUrl, "reader"),
    KAFKA_BROKERS: stack.kafkaBrokers,
    SCHEMA_REGISTRY_URL: stack.registryUrl,
    CONNECT_URL: stack.connectUrl,
    REDIS_URL: stack.redisUrl,
    COMMAND_APP_PASSWORD: stack.passwords.command_app,
    CAPTURE_PASSWORD: stack.passwords.capture,
    BASE_LOADER_PASSWORD: stack.passwords.base_loader,
    PROJECTOR_PASSWORD: stack.passwords.projector,
    READER_PASSWORD: stack.passwords.reader,
  }
}
