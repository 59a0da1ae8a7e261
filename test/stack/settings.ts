// The settings of the stack in the environment; the only reader of process.env in test/stack.
// Faults are reported all at once. Where nothing is said, the defaults of the design hold.
import { z } from "zod"

const port = z.coerce.number().int().min(1).max(65535)

const Settings = z.object({
  STACK: z.enum(["native", "compose", "external"]).optional(),
  STACK_PARTS: z.enum(["all", "infra"]).default("all"),
  COMMAND_PORT: port.default(8080),
  QUERY_PORT: port.default(8081),
  LOG_LEVEL: z.string().default("info"),
  KEEP: z.enum(["0", "1"]).default("0"),
  STACK_ENDPOINTS: z.string().optional(),
})

/** Settings of one run of a stack command. */
export type Settings = z.infer<typeof Settings>

/** Reads the settings; throws with every fault named when one is wrong. */
export const readSettings = (environment: NodeJS.ProcessEnv = process.env): Settings =>
  parse(Settings, environment)

const url = z.string().min(1)

const ExternalServers = z.object({
  COMMAND_ADMIN_URL: url,
  QUERY_ADMIN_URL: url,
  KAFKA_BROKERS: url,
  CONNECT_URL: z.url(),
  SCHEMA_REGISTRY_URL: z.url(),
  REDIS_URL: z.url(),
  COMMAND_APP_PASSWORD: z.string().min(1),
  CAPTURE_PASSWORD: z.string().min(1),
  BASE_LOADER_PASSWORD: z.string().min(1),
  PROJECTOR_PASSWORD: z.string().min(1),
  READER_PASSWORD: z.string().min(1),
})

/** Addresses of servers that somebody else runs, and the passwords that the migrations give to the roles. */
export type ExternalServers = z.infer<typeof ExternalServers>

/** Reads the addresses for STACK=external; throws with every missing one named. */
export const readExternalServers = (environment: NodeJS.ProcessEnv = process.env): ExternalServers =>
  parse(ExternalServers, environment)

function parse<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv): T {
  const parsed = schema.safeParse(environment)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`)
  throw new Error(`The environment holds settings that cannot be used: ${faults.join("; ")}`)
}

/** The environment that child processes inherit. */
export function inheritedEnvironment(): Record<string, string> {
  const inherited: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) inherited[name] = value
  }
  return inherited
}
