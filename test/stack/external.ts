// Infrastructure that somebody else runs and whose addresses stand in the environment. Nothing is started or stopped;
// starting means to see that every server answers, so that a wrong address is named at once.
import { databaseAnswers, httpAnswers, kafkaAnswers, redisAnswers } from "./health.ts"
import type { Part } from "./native/process.ts"
import type { ExternalServers } from "./settings.ts"
import type { Infrastructure } from "./stack.ts"

/** The servers as a stack whose parts can be looked at but not killed. */
export function createExternalInfrastructure(servers: ExternalServers): Infrastructure {
  const parts = {
    commandDatabase: reachable("command-database", () => databaseAnswers(servers.COMMAND_ADMIN_URL)),
    queryDatabase: reachable("query-database", () => databaseAnswers(servers.QUERY_ADMIN_URL)),
    kafka: reachable("kafka", () => kafkaAnswers(servers.KAFKA_BROKERS)),
    registry: reachable("registry", () =>
      httpAnswers(`${servers.SCHEMA_REGISTRY_URL}/apis/ccompat/v7/subjects`),
    ),
    connect: reachable("connect", () => httpAnswers(`${servers.CONNECT_URL}/connectors`)),
    redis: reachable("redis", () => redisAnswers(servers.REDIS_URL)),
  }
  return {
    kind: "external",
    parts,
    urls: {
      commandDatabaseUrl: servers.COMMAND_ADMIN_URL,
      queryDatabaseUrl: servers.QUERY_ADMIN_URL,
      kafkaBrokers: servers.KAFKA_BROKERS,
      connectUrl: servers.CONNECT_URL,
      registryUrl: servers.SCHEMA_REGISTRY_URL,
      redisUrl: servers.REDIS_URL,
    },
    passwords: {
      command_app: servers.COMMAND_APP_PASSWORD,
      capture: servers.CAPTURE_PASSWORD,
      base_loader: servers.BASE_LOADER_PASSWORD,
      projector: servers.PROJECTOR_PASSWORD,
      reader: servers.READER_PASSWORD,
    },
    start: (progress) =>
      progress.step("External servers answer", async () => {
        for (const part of Object.values(parts)) await part.start()
      }),
    stop: async () => {},
  }
}

function reachable(name: string, ask: () => Promise<void>): Part {
  const refuse = async () => {
    throw new Error(
      `${name} is run by somebody else (STACK=external): it cannot be stopped or killed from here.`,
    )
  }
  return {
    name,
    log: "",
    start: async () => {
      try {
        await ask()
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error)
        throw new Error(`${name} does not answer (${said}): check its address in the environment.`)
      }
    },
    stop: refuse,
    kill: refuse,
    freeze: refuse,
    thaw: refuse,
    healthy: () =>
      ask().then(
        () => true,
        () => false,
      ),
    identity: () => undefined,
    crashed: () => false,
  }
}
