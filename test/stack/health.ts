// How each kind of server is asked whether it serves. Every question resolves when the answer is yes, and rejects with
// the reason when it is not.
import { connect } from "node:net"
import pg from "pg"

const patienceMs = 2000

/** GET of the URL is answered with a 2xx. */
export async function httpAnswers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs) })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`HTTP ${response.status} from ${url}`)
}

/** The database lets us in and answers a query. */
export async function databaseAnswers(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: patienceMs })
  client.on("error", () => {})
  try {
    await client.connect()
    await client.query("select 1")
  } finally {
    await client.end()
  }
}

/** The Redis server answers PING. */
export function redisAnswers(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  return exchange(hostname, Number(port), Buffer.from("PING\r\n"))
}

/**
 * The first of the brokers answers requests. Its port is open before it does, so it is sent the smallest request there
 * is: ApiVersions (key 18) version 0 with correlation id 1 and no client id.
 */
export function kafkaAnswers(brokers: string): Promise<void> {
  const { hostname, port } = new URL(`tcp://${brokers.split(",")[0] ?? ""}`)
  return exchange(hostname, Number(port), Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255]))
}

function exchange(host: string, port: number, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    socket.setTimeout(patienceMs, () => socket.destroy(new Error(`no answer from ${host}:${port}`)))
    socket.once("error", reject)
    socket.once("close", () => reject(new Error(`${host}:${port} closed the connection`)))
    socket.once("connect", () => socket.write(request))
    socket.once("data", () => {
      resolve()
      socket.destroy()
    })
  })
}
