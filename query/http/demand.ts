// A reader's demand on an answer, read from the request's headers: `Consistency-Token` (the answer shows that command),
// `Cache-Control: max-age=N` (the answer is at most N seconds behind the source), `Prefer: wait=N` (RFC 7240: how long
// to wait for either) and `Prefer: handling=lenient` (the reader takes a stale answer that says so).
import { type Lsn, toLsn } from "../cdc/vocabulary/lsn.ts"
import { ReadProblem } from "./problem.ts"

/** `xid` is the source transaction as change events name it: 32 bits, without the epoch of the id. */
export type ConsistencyToken = { source: string; history: string; xid: bigint; lsn: Lsn }

export type Demand = {
  token: ConsistencyToken | null
  maxAgeSeconds: number | null
  waitMs: number
  lenient: boolean
  /** `Cache-Control: no-cache` or `no-store`: the database is asked. */
  skipCache: boolean
}

const defaultWaitMs = 2_000
const longestWaitSeconds = 30

/** @throws ReadProblem for a malformed header. Unknown preferences are ignored, as RFC 7240 wants. */
export function readDemand(header: (name: string) => string | undefined): Demand {
  const token = parseToken(header("consistency-token"))
  const { maxAgeSeconds, skipCache } = parseCacheControl(header("cache-control"))
  const preferences = directives(header("prefer"))
  const wait = preferences.get("wait")
  if (wait !== undefined && !/^\d{1,9}$/.test(wait)) throw malformed("Prefer", "wait must be whole seconds")
  const waitMs =
    wait !== undefined
      ? Math.min(Number(wait), longestWaitSeconds) * 1_000
      : token === null
        ? 0
        : defaultWaitMs
  return { token, maxAgeSeconds, skipCache, waitMs, lenient: preferences.get("handling") === "lenient" }
}

const tokenForm = /^v1:([A-Za-z0-9._-]{1,100}):(\d{1,20}-\d{1,10}):(\d{1,20}):(\d{1,20})$/

function parseToken(text: string | undefined): ConsistencyToken | null {
  if (text === undefined) return null
  const [, source, history, xid, lsn] = tokenForm.exec(text.trim()) ?? []
  const number = BigInt(lsn ?? -1)
  if (!source || !history || !xid || number < 0n || number >= 1n << 63n) {
    throw new ReadProblem(
      "malformed-token",
      "Send the Consistency-Token exactly as the command's answer gave it.",
      {
        errors: [{ header: "Consistency-Token", detail: "is not v1:<source>:<history>:<xid>:<lsn>" }],
      },
    )
  }
  return { source, history, xid: BigInt(xid) % (1n << 32n), lsn: toLsn(number) }
}

function parseCacheControl(text: string | undefined): { maxAgeSeconds: number | null; skipCache: boolean } {
  const wanted = directives(text)
  const maxAge = wanted.get("max-age")
  if (maxAge !== undefined && !/^\d{1,10}$/.test(maxAge)) {
    throw malformed("Cache-Control", "max-age must be whole seconds")
  }
  return {
    maxAgeSeconds: maxAge === undefined ? null : Number(maxAge),
    skipCache: wanted.has("no-cache") || wanted.has("no-store"),
  }
}

/** Comma-separated `name` or `name=value`, the value perhaps quoted; parameters after `;` are dropped. */
function directives(text: string | undefined): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of (text ?? "").split(",")) {
    const [name = "", value = ""] = (part.split(";")[0] ?? "").split("=", 2)
    const key = name.trim().toLowerCase()
    if (key && !found.has(key)) found.set(key, value.trim().replace(/^"(.*)"$/, "$1"))
  }
  return found
}

const malformed = (header: string, detail: string): ReadProblem =>
  new ReadProblem("invalid-request", `The header ${header} is not acceptable.`, {
    errors: [{ header, detail }],
  })
