// The settings of the project's programs for a running stack, by the names of .env.example.
import type { Endpoints } from "./endpoints.ts"

/** The variables of .env.example that say where the parts of a running stack are. */
export function variablesOf(stack: Endpoints): Record<string, string> {
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
