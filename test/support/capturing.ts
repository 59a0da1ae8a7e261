// How a test's own database is captured on the shared stack: connector, slot and topics share one name, so that nobody
// else is disturbed and all of it can be found again.
import { createConnectClient } from "../../connectors/connect-client.ts"
import type { RegistrationOptions } from "../../connectors/register.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import type { TestDatabase } from "./databases.ts"
import { removeTopics } from "./topics.ts"

export function registrationOf(name: string, database: TestDatabase): RegistrationOptions {
  const { connectUrl, kafkaBrokers } = readEndpoints()
  return {
    connectUrl,
    kafkaBrokers,
    adminUrl: database.adminUrl,
    databaseName: database.name,
    connectorName: name,
    topicPrefix: name,
    slotName: name,
  }
}

/** Removes connector and topics, as far as they are there; the slot goes with the database. */
export async function endCapture(name: string): Promise<void> {
  const { connectUrl, kafkaBrokers } = readEndpoints()
  const connect = createConnectClient({ url: connectUrl })
  await connect.stop(name).catch(() => {})
  await connect.remove(name).catch(() => {})
  await removeTopics(kafkaBrokers, name).catch(() => {})
}

/** The query service's environment for it. `source` is its database as role base_loader. */
export function queryEnvironmentOf(name: string, source: string, reading: TestDatabase) {
  const { connectUrl, kafkaBrokers, registryUrl, redisUrl } = readEndpoints()
  return {
    PROJECTOR_DATABASE_URL: reading.urlAs("projector"),
    READER_DATABASE_URL: reading.urlAs("reader"),
    SOURCE_DATABASE_URL: source,
    KAFKA_BROKERS: kafkaBrokers,
    SCHEMA_REGISTRY_URL: registryUrl,
    CONNECT_URL: connectUrl,
    CONNECTOR_NAME: name,
    TOPIC_PREFIX: name,
    REDIS_URL: redisUrl,
    SOURCE_NAME: name,
  }
}
