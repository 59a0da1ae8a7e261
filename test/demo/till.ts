// Where a clerk's commands go: sends them, knows what they may be answered with, and counts. An answer that the story
// does not expect is kept as a surprise, with everything needed to send it again.
import { z } from "zod"

/** What became of a command: its status, or the code of the problem. */
export type Outcome = { status: number; code: string | null; headers: Headers; body: Record<string, unknown> }

export type Till = {
  /** Sends a command. `refusals` are the codes that the story reckons with besides success. */
  send: (
    command: { name: string; method: string; path: string; body?: unknown; headers?: Record<string, string> },
    refusals?: readonly string[],
  ) => Promise<Outcome>
  /** How often each command was answered how. */
  tally: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** Which operations have been accepted, such as `POST /orders/{}/items`. */
  accepted: ReadonlySet<string>
  surprises: readonly string[]
  /** The newest token: a read that waits for it shows every command that was sent before. */
  token: () => string | null
}

const problem = z.object({ type: z.string() })
const document = z.record(z.string(), z.unknown())
const requestLimitMs = 60_000

/** Names of collections and ids of their members take turns: `/orders/{}/items/{}`. */
export const withoutIds = (path: string): string =>
  path.replace(/[^/]+/g, (segment, at: number) =>
    path.slice(0, at).split("/").length % 2 === 0 ? segment : "{}",
  )

export function createTill(commandUrl: string): Till {
  const tally = new Map<string, Map<string, number>>()
  const accepted = new Set<string>()
  const surprises: string[] = []
  let newest: { token: string; lsn: bigint } | null = null

  function count(name: string, outcome: string): void {
    const outcomes = tally.get(name) ?? new Map<string, number>()
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    tally.set(name, outcomes)
  }

  return {
    tally,
    accepted,
    surprises,
    token: () => newest?.token ?? null,
    async send({ name, method, path, body, headers = {} }, refusals = []) {
      const response = await fetch(`${commandUrl}${path}`, {
        method,
        headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        signal: AbortSignal.timeout(requestLimitMs),
      })
      const text = await response.text()
      const answer = document.parse(text === "" ? {} : JSON.parse(text))
      const code = response.ok ? null : problem.parse(answer).type.replace("urn:lockstep:problem:", "")
      count(name, code ?? "done")
      if (code === null) accepted.add(`${method} ${withoutIds(path)}`)
      if (code !== null && !refusals.includes(code)) {
        surprises.push(
          `${method} ${path} ${JSON.stringify(body ?? null)}: ${response.status} ${text}`.slice(0, 1_000),
        )
      }
      const token = response.headers.get("consistency-token")
      if (token !== null) {
        // Clerks work side by side; the token that commits last is the one to wait for.
        const lsn = BigInt(token.split(":").at(-1) ?? 0)
        if (newest === null || lsn > newest.lsn) newest = { token, lsn }
      }
      return { status: response.status, code, headers: response.headers, body: answer }
    },
  }
}
