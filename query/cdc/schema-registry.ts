// Part of step 2 (decode): fetches a writer's schema by the id that every record carries. Ids never change their
// meaning, so an answer is kept for ever; a registry that is down is retried by the projector, and an id it does
// not know is a fault that waiting will not cure.
import { z } from "zod"
import { EngineError, httpFault } from "./errors.ts"

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
