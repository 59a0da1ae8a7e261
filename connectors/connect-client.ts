// Kafka Connect's REST interface, typed and with time limits. A worker answers 409 while it rebalances; while it
// restarts it drops connections, then answers 404 to every path. These states pass, so the client repeats such a
// request for a while before the request counts as failed.
// https://kafka.apache.org/documentation/#connect_rest
import { ExponentialBackoff, handleWhen, retry } from "cockatiel"
import { z } from "zod"

const stateSchema = z.enum(["UNASSIGNED", "RUNNING", "PAUSED", "STOPPED", "FAILED", "RESTARTING"])

const statusSchema = z.object({
  name: z.string(),
  connector: z.object({ state: stateSchema, worker_id: z.string(), trace: z.string().optional() }),
  tasks: z.array(
    z.object({ id: z.number(), state: stateSchema, worker_id: z.string(), trace: z.string().optional() }),
  ),
})

const offsetsSchema = z.object({
  offsets: z.array(
    z.object({
      partition: z.record(z.string(), z.unknown()),
      offset: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
})

const configSchema = z.record(z.string(), z.string())
const errorSchema = z.object({ error_code: z.number(), message: z.string() })

export type ConnectorStatus = z.infer<typeof statusSchema>
export type ConnectorOffset = z.infer<typeof offsetsSchema>["offsets"][number]
export type ConnectorSettings = z.infer<typeof configSchema>

export type ConnectClient = ReturnType<typeof createConnectClient>

/** A client of one worker. The `read` methods return null when the connector does not exist. */
export function createConnectClient(options: {
  url: string
  timeoutMs?: number
  retries?: number
  /** Called before the client repeats a request, with the reason of the failure. */
  onRetry?: ((reason: string) => void) | undefined
}) {
  const root = options.url.replace(/\/+$/, "")
  const timeoutMs = options.timeoutMs ?? 20_000
  const patience = retry(
    handleWhen((error) => error instanceof ConnectError && error.transient),
    {
      maxAttempts: options.retries ?? 8,
      backoff: new ExponentialBackoff({ initialDelay: 200, maxDelay: 5_000 }),
    },
  )

  patience.onRetry((failure) => {
    if ("error" in failure) options.onRetry?.(failure.error.message)
  })

  const request = (method: string, path: string, body?: unknown): Promise<unknown> =>
    patience.execute(() => send(root, timeoutMs, method, path, body))
  const lookUp = async <T>(path: string, schema: z.ZodType<T>): Promise<T | null> => {
    try {
      return parseReply(schema, await request("GET", path), path)
    } catch (error) {
      if (error instanceof ConnectError && error.status === 404) return null
      throw error
    }
  }
  const connector = (name: string) => `/connectors/${encodeURIComponent(name)}`

  return {
    /** The settings as they are stored, placeholders unresolved. */
    readSettings: (name: string) => lookUp(`${connector(name)}/config`, configSchema),
    readStatus: (name: string) => lookUp(`${connector(name)}/status`, statusSchema),
    /** How far the connector has read the WAL, as Connect stored it. Connect keeps this when a connector is deleted. */
    readOffsets: async (name: string): Promise<ConnectorOffset[] | null> =>
      (await lookUp(`${connector(name)}/offsets`, offsetsSchema))?.offsets ?? null,
    /**
     * Creates a connector that is not started. Connect keeps the offsets of a deleted connector but shows them only
     * while a connector of that name exists. A stopped connector lets the caller read them before capture goes on.
     */
    createStopped: (name: string, settings: ConnectorSettings) =>
      request("POST", "/connectors", { name, config: settings, initial_state: "STOPPED" }),
    writeSettings: (name: string, settings: ConnectorSettings) =>
      request("PUT", `${connector(name)}/config`, settings),
    resume: (name: string) => request("PUT", `${connector(name)}/resume`),
    stop: (name: string) => request("PUT", `${connector(name)}/stop`),
    restartFailed: (name: string) =>
      request("POST", `${connector(name)}/restart?includeTasks=true&onlyFailed=true`),
    /** The connector must be stopped. */
    deleteOffsets: (name: string) => request("DELETE", `${connector(name)}/offsets`),
    remove: (name: string) => request("DELETE", connector(name)),
  }
}

async function send(root: string, timeoutMs: number, method: string, path: string, body: unknown) {
  const where = `${method} ${path}`
  let response: Response
  let text: string
  try {
    response = await fetch(root + path, {
      method,
      headers: { accept: "application/json", "content-type": "application/json" },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    text = await response.text()
  } catch (error) {
    throw new ConnectError(`Kafka Connect does not answer at ${root} (${where}): ${causeOf(error)}`, null)
  }
  if (response.ok) return text === "" ? null : parseJson(text, where)
  const refusal = errorSchema.safeParse(parseJsonOr(text, null))
  if (refusal.success) {
    const reason = refusal.data.message
    throw new ConnectError(`Kafka Connect refused ${where} (${response.status}): ${reason}`, response.status)
  }
  // The answer is not in Connect's own form, as the 404 for every path at its start: it says nothing about connectors.
  const said = text.trim().slice(0, 300)
  throw new ConnectError(
    `Kafka Connect at ${root} is not ready: ${where} was answered with ${response.status} ${said}`,
    null,
  )
}

function parseJson(text: string, where: string): unknown {
  const parsed = parseJsonOr(text, undefined)
  if (parsed !== undefined) return parsed
  const said = text.slice(0, 200)
  throw new ConnectError(`${where} was not answered with JSON; is this Kafka Connect? ${said}`, 0)
}

function parseJsonOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return otherwise
  }
}

function parseReply<T>(schema: z.ZodType<T>, reply: unknown, path: string): T {
  const parsed = schema.safeParse(reply)
  if (parsed.success) return parsed.data
  throw new ConnectError(`Kafka Connect's answer to ${path} is not understood: ${parsed.error.message}`, 0)
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message
}

/**
 * A request to Kafka Connect failed. `status` is the HTTP status; it is null if Connect is not there (yet), 0 if the
 * answer made no sense.
 */
export class ConnectError extends Error {
  override name = "ConnectError"
  readonly status: number | null

  constructor(message: string, status: number | null) {
    super(message)
    this.status = status
  }

  /** True for a rebalance, a restart or no answer: the request is worth another try. */
  get transient(): boolean {
    return this.status === null || this.status === 409 || this.status === 503
  }
}
