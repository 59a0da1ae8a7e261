// Where one stack keeps its things: data, logs, ports and secrets, all under one directory (.stack for people,
// .stack-test for tests). Ports and passwords are chosen once and kept, so a second start goes on where the first
// stopped; a port that somebody else took meanwhile is chosen anew.
import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { z } from "zod"
import { isFree, pickFreePort } from "./ports.ts"

const Ports = z.object({
  commandDatabase: z.number(),
  queryDatabase: z.number(),
  kafka: z.number(),
  kafkaController: z.number(),
  registry: z.number(),
  connect: z.number(),
  redis: z.number(),
})

const Passwords = z.object({
  admin: z.string(),
  command_app: z.string(),
  capture: z.string(),
  base_loader: z.string(),
  projector: z.string(),
  reader: z.string(),
})

/** Ports of the infrastructure, all on 127.0.0.1. */
export type Ports = z.infer<typeof Ports>
/** Passwords of the cluster superusers and of the roles that the migrations create. */
export type Passwords = z.infer<typeof Passwords>

/** Everything that says where a stack's parts are; known before any of them runs. */
export type Layout = {
  readonly project: string
  readonly directory: string
  readonly jars: string
  readonly data: string
  readonly logs: string
  readonly run: string
  readonly ports: Ports
  readonly passwords: Passwords
}

/** The project's root directory. */
export const projectDirectory = resolve(dirname(fileURLToPath(import.meta.url)), "../..")

/**
 * Makes the directories of a stack that is about to start and settles its ports and passwords.
 * The stack must not be running: its own ports would look taken. Ports in `avoid` are never chosen.
 */
export async function prepareLayout(directory: string, avoid: readonly number[]): Promise<Layout> {
  const directories = directoriesOf(directory)
  for (const path of [directories.data, directories.logs, directories.run])
    mkdirSync(path, { recursive: true })
  const secretsFile = join(directory, "secrets.json")
  const passwords = existsSync(secretsFile) ? Passwords.parse(readJson(secretsFile)) : choosePasswords()
  writeFileSync(secretsFile, `${JSON.stringify(passwords, null, 2)}\n`, { mode: 0o600 })
  const portsFile = join(directory, "ports.json")
  const kept = existsSync(portsFile) ? Ports.partial().parse(readJson(portsFile)) : {}
  const ports = await choosePorts(kept, avoid)
  writeFileSync(portsFile, `${JSON.stringify(ports, null, 2)}\n`)
  return { ...directories, ports, passwords }
}

/** Reads the layout of a stack that was prepared before, running or not. */
export function readLayout(directory: string): Layout {
  return {
    ...directoriesOf(directory),
    ports: Ports.parse(readJson(join(directory, "ports.json"))),
    passwords: Passwords.parse(readJson(join(directory, "secrets.json"))),
  }
}

/** True when a stack was once prepared in this directory. */
export const isPrepared = (directory: string): boolean =>
  existsSync(join(directory, "ports.json")) && existsSync(join(directory, "secrets.json"))

function directoriesOf(directory: string) {
  return {
    project: projectDirectory,
    directory,
    jars: join(projectDirectory, "connectors/jars"),
    data: join(directory, "data"),
    logs: join(directory, "logs"),
    run: join(directory, "run"),
  }
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"))

const secret = (): string => randomBytes(18).toString("base64url")

function choosePasswords(): Passwords {
  return {
    admin: secret(),
    command_app: secret(),
    capture: secret(),
    base_loader: secret(),
    projector: secret(),
    reader: secret(),
  }
}

async function choosePorts(
  kept: { readonly [part in keyof Ports]?: number | undefined },
  avoid: readonly number[],
): Promise<Ports> {
  const taken = new Set(avoid)
  const choose = async (port: number | undefined): Promise<number> => {
    const chosen =
      port !== undefined && !taken.has(port) && (await isFree(port)) ? port : await pickFreePort(taken)
    taken.add(chosen)
    return chosen
  }
  return {
    commandDatabase: await choose(kept.commandDatabase),
    queryDatabase: await choose(kept.queryDatabase),
    kafka: await choose(kept.kafka),
    kafkaController: await choose(kept.kafkaController),
    registry: await choose(kept.registry),
    connect: await choose(kept.connect),
    redis: await choose(kept.redis),
  }
}
