// Part of step 2 (decode): fetches a writer's schema by the id that every record carries, and makes the schema of this
// side's events known. An id never changes its meaning, so an answer is kept for ever. A registry that is down is asked
// again by the projector; an id that the registry does not know is a fault that waiting will not cure.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html
import { SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry"
import { z } from "zod"
import { EngineError, httpFault } from "../vocabulary/errors.ts"

type Middleware = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]["middlewares"]>[number]

const requestTimeoutMs = 5_000

export type FetchSchema = (id: number) => Promise<string>

/** `registryUrl` is the root of an Apicurio or Confluent-compatible registry. Resolves to the schema's JSON text. */
export function createSchemaFetcher(registryUrl: string): FetchSchema {
  const texts = new Map<number, string>()
  const ask = createAsking(registryUrl, keepTexts(texts))
  return async (id) => {
    const known = texts.get(id)
    if (known !== undefined) return known
    try {
      await ask((registry) => registry.getSchema(id))
    } catch (thrown) {
      if (!texts.has(id)) throw fetchFault(registryUrl, id, thrown)
      // The registry has answered, so the decoder judges whether the schema can be read.
    }
    const text = texts.get(id)
    if (text !== undefined) return text
    throw new EngineError("dependency-down", `The schema registry gave no schema for ${id}.`)
  }
}

const answerShape = z.object({ schema: z.string() })

/** The client's own reading of a schema drops its `connect.*` attributes, so the text is kept as it was answered. */
const keepTexts =
  (texts: Map<number, string>): Middleware =>
  () => ({
    async response(next) {
      const response = await next()
      const answer = answerShape.safeParse(response.data())
      if (answer.success) texts.set(Number(response.request().params().id), answer.data.schema)
      return response
    },
  })

function fetchFault(registryUrl: string, id: number, thrown: unknown): EngineError {
  const status = statusOf(thrown)
  if (status === null) return noAnswer(registryUrl, thrown)
  if (status !== 404) return httpFault(`The schema registry answered ${status} for schema ${id}.`, status)
  return new EngineError("unknown-schema", `The schema registry knows no schema ${id}.`, {
    detail: { schemaId: id },
  })
}

export type RegisterSchema = (subject: string, schema: Readonly<Record<string, unknown>>) => Promise<void>

/**
 * Registers a JSON Schema as the newest of its subject; one that is known is left as it is, and so is the subject's
 * compatibility.
 */
export function createSchemaRegistering(registryUrl: string): RegisterSchema {
  const ask = createAsking(registryUrl, leaveCompatibility)
  return async (subject, schema) => {
    const registered = { type: SchemaType.JSON, schema: JSON.stringify(schema) } as const
    try {
      await ask((registry) => registry.register(registered, { subject }))
    } catch (thrown) {
      if (thrown instanceof CompatibilityLeft) return
      const status = statusOf(thrown)
      if (status === null) throw noAnswer(registryUrl, thrown)
      const answer = thrown instanceof Error ? thrown.message.slice(0, 300) : ""
      throw httpFault(
        `The schema registry does not take the schema of ${subject}: it answered ${status}, ${answer}.`,
        status,
      )
    }
  }
}

/**
 * The client refuses a subject whose compatibility is not its own, BACKWARD, and sets that on a new subject after it has
 * registered the schema. Here it is told that every subject has its own, and its request to set one is not sent.
 */
const leaveCompatibility: Middleware = ({ resourceName, resourceMethod }) => ({
  async prepareRequest(next, abort) {
    if (resourceName === "Subject" && resourceMethod === "updateConfig") abort(new CompatibilityLeft())
    return await next()
  },
  async response(next) {
    const response = await next()
    return resourceName === "Subject" && resourceMethod === "config"
      ? response.enhance({ rawData: '{"compatibilityLevel":"BACKWARD"}' })
      : response
  },
})

class CompatibilityLeft extends Error {}

/**
 * Asks the registry within a time limit. A request whose connection breaks in the middle of the answer never ends in the
 * client, and the client gives it to every later asker of the same schema. So a client that has failed is replaced.
 */
function createAsking(registryUrl: string, middleware: Middleware) {
  const open = (): SchemaRegistry =>
    new SchemaRegistry(
      {
        host: new URL("/apis/ccompat/v7", registryUrl).href,
        // The projector decides when to ask again.
        retry: { retries: 0 },
        middlewares: [limitTime, middleware],
      },
      // The events' schema names a format (date-time) that the client's JSON Schema library does not know.
      { [SchemaType.JSON]: { strict: false, logger: false } },
    )
  let registry: SchemaRegistry | null = null

  return async <Answer>(question: (registry: SchemaRegistry) => Promise<Answer>): Promise<Answer> => {
    registry ??= open()
    const asked = registry
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("no answer in time")), requestTimeoutMs)
    })
    try {
      return await Promise.race([question(asked), late])
    } catch (error) {
      if (registry === asked) registry = null
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Lets go of the connection of a request without an answer. */
const limitTime: Middleware = () => ({
  prepareRequest: async (next) => (await next()).enhance({ timeout: requestTimeoutMs }),
})

/** The status that the registry answered; null when it did not answer, which the client tells as a 400 of its own. */
function statusOf(thrown: unknown): number | null {
  if (!(thrown instanceof Error) || !("status" in thrown) || typeof thrown.status !== "number") return null
  return thrown.status === 400 && / - Error, status 400: /.test(thrown.message) ? null : thrown.status
}

const noAnswer = (registryUrl: string, cause: unknown): EngineError =>
  new EngineError("dependency-down", `The schema registry at ${registryUrl} does not answer.`, { cause })
