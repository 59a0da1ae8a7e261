// Part of step 2 (decode): fetches a writer's schema by the id that every record carries; and makes the schema of what
// this side sends known. Ids never change their
// meaning, so an answer is kept for ever; a registry that is down is retried by the projector, and an id it does
// not know is a fault that waiting will not cure.
import { z } from "zod"
import { EngineError, httpFault } from "../vocabulary/errors.ts"

const answerShape = z.object({ schema: z.string() })
const requestTimeoutMs = 5_000

export type FetchSchema = (id: number) => Promise<string>

/** `registryUrl` is the root of an Apicurio or Confluent-compatible registry. Resolves to the schema's JSON text. */
export function createSchemaFetcher(registryUrl: string): FetchSchema {
  const cache = new Map<number, string>()
  return async (id) => {
    const known = cache.get(id)
    if (known) return known
    const url = new URL(`/apis/ccompat/v7/schemas/ids/${id}`, registryUrl)
    const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) }).catch(
      (cause: unknown) => {
        throw new EngineError("dependency-down", `The schema registry at ${registryUrl} does not answer.`, {
          cause,
        })
      },
    )
    if (response.status === 404) {
      throw new EngineError("unknown-schema", `The schema registry knows no schema ${id}.`, {
        detail: { schemaId: id },
      })
    }
    if (!response.ok) {
      throw httpFault(`The schema registry answered ${response.status} for schema ${id}.`, response.status)
    }
    const { schema } = answerShape.parse(await response.json())
    cache.set(id, schema)
    return schema
  }
}

export type RegisterSchema = (subject: string, schema: Readonly<Record<string, unknown>>) => Promise<void>

/** Registers a JSON Schema as the newest of its subject; one that is known is left as it is. */
export function createSchemaRegistering(registryUrl: string): RegisterSchema {
  return async (subject, schema) => {
    const url = new URL(`/apis/ccompat/v7/subjects/${encodeURIComponent(subject)}/versions`, registryUrl)
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/vnd.schemaregistry.v1+json" },
      body: JSON.stringify({ schemaType: "JSON", schema: JSON.stringify(schema) }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    }).catch((cause: unknown) => {
      throw new EngineError("dependency-down", `The schema registry at ${registryUrl} does not answer.`, {
        cause,
      })
    })
    const answer = await response.text()
    if (response.ok) return
    throw httpFault(
      `The schema registry does not take the schema of ${subject}: it answered ${response.status}, ${answer.slice(0, 300)}.`,
      response.status,
    )
  }
}
