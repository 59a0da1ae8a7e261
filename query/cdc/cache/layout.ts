// The projector and the readers agree here on names of keys in Redis, the form of the lease, and the order of
// positions as text. Every key of a source begins with `lockstep:<source>:`.
import { crc32 } from "node:zlib"
import { type Lsn, parseLsn } from "../vocabulary/lsn.ts"

/** The cache epoch and generation of an answer. Raising the epoch makes every older answer unreachable. */
export type CacheVersion = { cacheEpoch: bigint; generation: number }

/** Readers may rely on this while the lease is there; `runId` names the Redis run that it was given in. */
export type CacheLease = {
  version: CacheVersion
  position: Lsn
  heartbeatMs: number | null
  runId: string
}

/** The number of slots in the fence table: keys share slots, so that the table is bounded and needs no expiry. */
const fenceSlots = 4096

export const fenceName = (source: string): string => `lockstep:${source}:fence`
export const leaseName = (source: string): string => `lockstep:${source}:lease`
export const valueName = (source: string, { cacheEpoch, generation }: CacheVersion, key: string): string =>
  `lockstep:${source}:${cacheEpoch}:${generation}:${key}`

/** The fence slot of a key follows from the key alone: it is the same in every epoch and generation. */
export const slotOf = (key: string): string => String(crc32(key) % fenceSlots)

export const sameVersion = (a: CacheVersion, b: CacheVersion): boolean =>
  a.cacheEpoch === b.cacheEpoch && a.generation === b.generation

/** Twenty digits, so that Lua compares positions as text: Lua's numbers are exact only up to 2^53. */
export const ordered = (value: bigint): string => value.toString().padStart(20, "0")

export function formatLease({ version, position, heartbeatMs, runId }: CacheLease): string {
  return [version.cacheEpoch, version.generation, position, heartbeatMs ?? "-", runId].join(":")
}

/** @returns null for anything that is not a lease. */
export function parseLease(text: string): CacheLease | null {
  const match = /^(\d+):(\d+):(\d+):(\d+|-):([0-9a-f]+)$/.exec(text)
  if (!match) return null
  const [, cacheEpoch = "", generation = "", position = "", heartbeat = "", runId = ""] = match
  return {
    version: { cacheEpoch: BigInt(cacheEpoch), generation: Number(generation) },
    position: parseLsn(position),
    heartbeatMs: heartbeat === "-" ? null : Number(heartbeat),
    runId,
  }
}

/** A pattern of Redis for the names of all values of a source, and of little else. */
export const valuesOf = (source: string): string =>
  `lockstep:${source.replaceAll(/[\\*?[\]^-]/g, "\\$&")}:[0-9]*:[0-9]*:*`

/** The key of a value, by the value's name in Redis; null for a name that no value has. */
export function keyOfValue(source: string, name: string): string | null {
  const prefix = `lockstep:${source}:`
  if (!name.startsWith(prefix)) return null
  return /^\d+:\d+:(.+)$/s.exec(name.slice(prefix.length))?.[1] ?? null
}

/** Every value begins with the position at which it was read (query/http/cache.ts). */
export const positionOfValue = (value: string): bigint => BigInt(/^\d+/.exec(value)?.[0] ?? "0")
