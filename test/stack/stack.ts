// What a running stack is to those who use it, whether its parts are processes, containers or servers given by URL.
import type { Layout, Passwords } from "./layout.ts"
import type { Part } from "./native/process.ts"
import type { Progress } from "./progress.ts"

/** Where the infrastructure answers. The database URLs are those of the cluster superusers. */
export type InfrastructureUrls = {
  readonly commandDatabaseUrl: string
  readonly queryDatabaseUrl: string
  readonly kafkaBrokers: string
  readonly connectUrl: string
  readonly registryUrl: string
  readonly redisUrl: string
}

/** The parts of the infrastructure, each of which can be killed and started on its own. */
export type InfrastructureParts = Readonly<
  Record<"commandDatabase" | "queryDatabase" | "kafka" | "registry" | "connect" | "redis", Part>
>

/** Passwords of the roles that the migrations create. */
export type RolePasswords = Omit<Passwords, "admin">

/** Everything that the two services need to run. */
export type Infrastructure = {
  readonly kind: "native" | "compose" | "external"
  readonly parts: InfrastructureParts
  readonly urls: InfrastructureUrls
  readonly passwords: RolePasswords
  /** Returns when all parts serve; when one fails, throws with its last log lines. */
  readonly start: (progress: Progress) => Promise<void>
  /** Stops all parts in the order of the flow; also right when some never started. */
  readonly stop: () => Promise<void>
}

/** Where the infrastructure of a stack answers on this machine; the same for processes and for containers. */
export function localUrls({ ports, passwords }: Layout): InfrastructureUrls {
  return {
    commandDatabaseUrl: `postgres://postgres:${passwords.admin}@127.0.0.1:${ports.commandDatabase}/orders`,
    queryDatabaseUrl: `postgres://postgres:${passwords.admin}@127.0.0.1:${ports.queryDatabase}/reads`,
    kafkaBrokers: `127.0.0.1:${ports.kafka}`,
    connectUrl: `http://127.0.0.1:${ports.connect}`,
    registryUrl: `http://127.0.0.1:${ports.registry}`,
    redisUrl: `redis://127.0.0.1:${ports.redis}`,
  }
}
