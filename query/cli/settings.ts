// Settings of the verbs: the environment's, and in a checkout those of the stack that runs there for every name that
// the environment does not hold. Example: after `npm start`, `npx lockstep dlq list` needs no settings at all.
import { readFileSync } from "node:fs"
import { z } from "zod"
import { checkout, endpointsFileOf } from "./checkout.ts"

export type Settings = Readonly<Record<string, string | undefined>>

const endpoints = z.object({ environment: z.record(z.string(), z.string()).default({}) })

/** @param directory the checkout; null in an image, where the environment says everything. */
export function readSettings(environment: Settings = process.env, directory = checkout): Settings {
  const file = endpointsFileOf(directory)
  if (file === null) return environment
  return { ...endpoints.parse(JSON.parse(readFileSync(file, "utf8"))).environment, ...environment }
}

/** A setting is missing or cannot be used: exit code 2. No value is printed. */
export class UnusableSettings extends Error {
  override name = "UnusableSettings"
  readonly nextStep: string

  constructor(faults: string, directory = checkout) {
    super(`These settings are missing or cannot be used:\n${faults}`)
    this.nextStep = whereSettingsCome(directory)
  }
}

/** The settings that a verb needs. @throws UnusableSettings naming every fault. */
export function parseSettings<Parsed>(schema: z.ZodType<Parsed>, settings = readSettings()): Parsed {
  const parsed = schema.safeParse(settings)
  if (parsed.success) return parsed.data
  throw new UnusableSettings(
    parsed.error.issues
      .map(({ path: [name = ""], message }) => {
        const isSet = settings[String(name)] !== undefined
        return `  ${String(name)}: ${isSet ? message : "not set"}`
      })
      .join("\n"),
  )
}

/** The one next step that differs between a checkout and a container. */
export const whereSettingsCome = (directory: string | null): string =>
  directory === null
    ? "This container lacks them. In compose every verb has its settings as: docker compose run --rm lockstep <noun> <verb>."
    : "Start a stack with npm start, which gives them all, or set them: .env.example says what they are."
