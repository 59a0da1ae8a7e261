// What `/readyz` says of the parts that the projector follows: Kafka, the schema registry and Kafka Connect. Asked
// at most once a second, however often readiness is; a part that does not answer turns readiness red by name.
import { z } from "zod"
import type { KafkaAccess } from "../cdc/kafka/kafka.ts"
import type { Check, Checks } from "./source-checks.ts"

export type DependencyUrls = {
  kafka: KafkaAccess
  commitLogTopic: string
  registryUrl: string
  connectUrl: string
  connectorName: string
}

const keptMs = 1_000
const timeoutMs = 2_000

export function createDependencyChecks(deps: DependencyUrls): () => Promise<Checks> {
  let askedAt = Number.NEGATIVE_INFINITY
  let checks: Promise<Checks> = Promise.resolve({})
  let askingKafka: Promise<unknown> | null = null

  return () => {
    if (performance.now() - askedAt > keptMs) {
      askedAt = performance.now()
      checks = askAll(deps, askKafka)
    }
    return checks
  }

  /** A question takes as long as the client tries; another one is asked when it has ended. */
  async function askKafka(): Promise<void> {
    askingKafka ??= deps.kafka.offsetRanges([deps.commitLogTopic]).finally(() => {
      askingKafka = null
    })
    await askingKafka
  }
}

async function askAll(deps: DependencyUrls, askKafka: () => Promise<void>): Promise<Checks> {
  const [kafka, schemaRegistry, connect] = await Promise.all([
    ask("Kafka", askKafka),
    ask("The schema registry", () => get(new URL("/apis/ccompat/v7/schemas/types", deps.registryUrl))),
    askConnector(deps),
  ])
  return { kafka, schema_registry: schemaRegistry, connect }
}

async function ask(name: string, question: () => Promise<void>): Promise<Check> {
  const startedAt = performance.now()
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs).unref()
  })
  try {
    await Promise.race([question(), late])
    return { state: "ok", detail: { ms: Math.round(performance.now() - startedAt) } }
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    return {
      state: "failed",
      reason: `${name} cannot be reached (${cause}). The read models stay as they are until it is back.`,
    }
  }
}

const connectorShape = z.object({
  connector: z.object({ state: z.string() }),
  tasks: z.array(z.object({ state: z.string(), trace: z.string().optional() })),
})

/** Connect says that a connector runs while its task has failed, so the task is what is asked for. */
async function askConnector({ connectUrl, connectorName }: DependencyUrls): Promise<Check> {
  const faults: string[] = []
  const check = await ask("Kafka Connect", async () => {
    const url = new URL(`/connectors/${encodeURIComponent(connectorName)}/status`, connectUrl)
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
    if (response.ok) faults.push(...taskFaults(connectorShape.parse(await response.json())))
    else if (response.status === 404) faults.push("it is not registered")
    else throw new Error(`it answered ${response.status}`)
  })
  if (faults.length === 0) return check
  return notCapturing(`Connector ${connectorName} captures nothing: ${faults.join("; ")}.`)
}

function taskFaults({ connector, tasks }: z.infer<typeof connectorShape>): string[] {
  if (connector.state !== "RUNNING") return [`it is ${connector.state}`]
  return tasks
    .filter((task) => task.state === "FAILED")
    .map((task) => `its task has failed (${task.trace?.split("\n")[0] ?? "no reason given"})`)
}

const notCapturing = (reason: string): Check => ({
  state: "failed",
  reason,
  next_step:
    "Nothing new is captured. See npx lockstep connector status, then npx lockstep connector register.",
})

async function get(url: URL): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`it answered ${response.status}`)
}
