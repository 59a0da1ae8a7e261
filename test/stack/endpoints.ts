// Where a running stack answers, as written to endpoints.json by its owner. Tests get the stack from here, with handles
// to kill, freeze and start its parts; the owner and `stack:down` see what they do, because every part is written down.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"
import { variablesOf } from "./environment.ts"
import { createInfrastructure } from "./infrastructure.ts"
import { projectDirectory, readLayout } from "./layout.ts"
import type { ConnectOptions } from "./native/connect.ts"
import type { Part } from "./native/process.ts"
import { endpointsFile, ownerOf } from "./ownership.ts"
import { readSettings } from "./settings.ts"
import type { Infrastructure, InfrastructureParts } from "./stack.ts"

const Databases = z.object({
  commandDatabaseUrl: z.string(),
  queryDatabaseUrl: z.string(),
  passwords: z.object({
    command_app: z.string(),
    capture: z.string(),
    base_loader: z.string(),
    projector: z.string(),
    reader: z.string(),
  }),
})

const Endpoints = Databases.extend({
  stack: z.enum(["native", "compose", "external"]),
  directory: z.string(),
  commandUrl: z.string(),
  queryUrl: z.string(),
  kafkaBrokers: z.string(),
  connectUrl: z.string(),
  registryUrl: z.string(),
  redisUrl: z.string(),
  pids: z.record(z.string(), z.number()),
  /** Where the programs are compiled to, if they are. */
  compiled: z.string().optional(),
})

/** The URLs of both databases as superuser, and the passwords of their roles. */
export type Databases = z.infer<typeof Databases>

/** URLs of a running stack, the passwords of its roles, and the processes behind it. */
export type Endpoints = z.infer<typeof Endpoints>

/** Writes the endpoints for others to read; they hold passwords, so only the owner of the file may read it. */
export function writeEndpoints(path: string, endpoints: Endpoints): void {
  // `lockstep` fills its settings from `environment` and knows nothing else of this file.
  const written = { ...endpoints, environment: variablesOf(endpoints) }
  writeFileSync(path, `${JSON.stringify(written, null, 2)}\n`, { mode: 0o600 })
}

/** Writes where the databases of a run of tests are that has nothing else. */
export const writeDatabases = (path: string, databases: Databases): void =>
  writeFileSync(path, `${JSON.stringify(Databases.parse(databases), null, 2)}\n`, { mode: 0o600 })

/** The endpoints of the whole stack that this run of tests may use. */
export function readEndpoints(): Endpoints {
  const path = findEndpoints()
  const found = path === undefined ? undefined : Endpoints.safeParse(readJson(path))
  if (found?.success) return found.data
  throw new Error(path === undefined ? noStack : `${path} names databases and nothing else. ${noStack}`)
}

const noStack = "No stack is running: start one with npx lockstep stack up, or run the tests with npm test."

/** The databases that this run of tests may use: those of a stack, or those that the run started for itself. */
export function readDatabases(): Databases {
  const path = findEndpoints()
  if (path === undefined) throw new Error(noStack)
  return Databases.parse(readJson(path))
}

/** The file that says where the stack for tests is: STACK_ENDPOINTS, else .stack-test, else .stack, if one runs. */
export function findEndpoints(): string | undefined {
  const { STACK_ENDPOINTS } = readSettings()
  const places = [".stack-test", ".stack"].map((name) => join(projectDirectory, name))
  const running = places.find((place) => ownerOf(place) !== undefined && existsSync(endpointsFile(place)))
  return STACK_ENDPOINTS ?? (running && endpointsFile(running))
}

/** The endpoints in this file. */
export const readEndpointsFile = (path: string): Endpoints => Endpoints.parse(readJson(path))

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"))

/** True when the stack that runs in this directory consists of containers. */
export function isOfContainers(directory: string): boolean {
  const path = endpointsFile(directory)
  return existsSync(path) && readEndpointsFile(path).stack === "compose"
}

/** The endpoints of a stack whose infrastructure runs; `services` says where the two services are. */
export function endpointsOf(
  { kind, urls, passwords, parts }: Infrastructure,
  directory: string,
  services: { readonly commandUrl: string; readonly queryUrl: string; readonly parts: readonly Part[] },
): Endpoints {
  const running = [...Object.values(parts), ...services.parts]
  const pids = running.flatMap((part) => {
    const pid = part.identity()?.pid
    return pid === undefined ? [] : [[part.name, pid] as const]
  })
  const { commandUrl, queryUrl } = services
  return { stack: kind, directory, commandUrl, queryUrl, ...urls, passwords, pids: Object.fromEntries(pids) }
}

/** Handles to the parts of the running stack. `options` hold for parts that are started through these handles. */
export const stackParts = (endpoints: Endpoints, options: ConnectOptions = {}): InfrastructureParts =>
  createInfrastructure(endpoints.stack, readLayout(endpoints.directory), options).parts
