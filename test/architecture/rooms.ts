// The rooms of a folder in the order of the flow. A file imports files of its own room and of rooms before it: a file of
// query/cdc/assemble may import query/cdc/decode, and no file of query/cdc/decode may import query/cdc/assemble.
import { isUnder, linesOf, type Source } from "./sources.ts"

/** A room is a folder, with all folders in it, or a file; `.` stands for the files that are in no folder. */
export type Rooms = { folder: string; names: readonly string[] }

/** The engine: from a Kafka record to the applied row, and around it. */
export const engine: Rooms = {
  folder: "query/cdc",
  names: [
    "vocabulary",
    "projection",
    "kafka",
    "decode",
    "intake",
    "assemble",
    "lease",
    "rows",
    "cache",
    "events",
    "dead-letters",
    "apply",
    "redrive",
    "generations",
    "projector",
  ],
}

/** The read side: the engine knows no reader, HTTP knows no order, and only the programs know the settings. */
export const readSide: Rooms = {
  folder: "query",
  names: [
    "cdc",
    "http",
    "orders",
    "preflight",
    "source-settings.ts",
    "cli",
    "cli.ts",
    "config.ts",
    "start-projector.ts",
    "app.ts",
    "start.ts",
    "main.ts",
  ],
}

/**
 * The write side: from the words of a command to the running service. `orders/store` may import `pricing`, and `pricing`
 * may not import `orders/store`.
 */
export const writeSide: Rooms = {
  folder: "command",
  names: [
    "vocabulary",
    "execute",
    "http",
    "inventory",
    "products",
    "customers",
    "pricing",
    "discounts",
    "shipping-rules",
    "tax-rates",
    "payments",
    "orders/aggregate",
    "orders/store",
    "orders",
    "orders/http",
    "quotes",
    "erasure",
    ".",
  ],
}

/** Capture: asking Connect and Postgres, then the two operations that are made of the answers. */
export const capture: Rooms = {
  folder: "connectors",
  names: [
    "config.ts",
    "refusal.ts",
    "connect-client.ts",
    "slot.ts",
    "connector-settings.ts",
    "history.ts",
    "running.ts",
    "topics.ts",
    "register.ts",
    "status.ts",
  ],
}

/**
 * The room of a path, or null where the path is not under the folder. Of `orders` and `orders/store`, the longer name that
 * leads to the path is its room.
 */
export function roomOf({ folder, names }: Rooms, path: string): string | null {
  if (!isUnder(folder)(path)) return null
  const inside = path.slice(folder.length + 1)
  const listed = names.filter((name) => inside === name || isUnder(name)(inside))
  const longest = listed.toSorted((a, b) => b.length - a.length)[0]
  return longest ?? (inside.includes("/") ? (inside.split("/")[0] ?? "") : ".")
}

/** `file -> import` for every import of a room after the file's own. A room that is not listed comes after all others. */
export function importsGoingBack(rooms: Rooms, sources: readonly Source[]): string[] {
  const indexOf = (path: string): number | null => {
    const room = roomOf(rooms, path)
    if (room === null) return null
    return rooms.names.includes(room) ? rooms.names.indexOf(room) : rooms.names.length
  }
  return sources.flatMap(({ path, imports }) => {
    const own = indexOf(path)
    if (own === null) return []
    // A file of settings imports nothing, so it may be anywhere.
    const isBack = (name: string): boolean => name.endsWith(".ts") && (indexOf(name) ?? 0) > own
    return imports.filter(isBack).map((name) => `${path} -> ${name}`)
  })
}

/** Files that import each other, directly or through others; each circle once, its files by name. */
export function circles(sources: readonly Source[]): string[][] {
  const reach = new Map<string, ReadonlySet<string>>()
  const imports = new Map(sources.map((source) => [source.path, source.imports]))
  const reachedFrom = (path: string): ReadonlySet<string> => {
    const known = reach.get(path)
    if (known) return known
    const reached = new Set<string>()
    const open = [...(imports.get(path) ?? [])]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (reached.has(next) || !imports.has(next)) continue
      reached.add(next)
      open.push(...(imports.get(next) ?? []))
    }
    reach.set(path, reached)
    return reached
  }
  const found = sources
    .map(({ path }) => path)
    .filter((path) => reachedFrom(path).has(path))
    .map((path) => [...reachedFrom(path)].filter((other) => reachedFrom(other).has(path)).sort())
  return found.filter((circle, index) => found.findIndex(([first]) => first === circle[0]) === index)
}

export type RoomFacts = {
  name: string
  files: number
  lines: number
  /** Rooms that its files import, in their order. */
  imports: string[]
  /** 1 for a room that imports no other; otherwise one more than the highest level it imports. */
  level: number
}

/** What there is to tell of each room, in their order; `level` counts imports of earlier rooms alone. */
export function factsOf(rooms: Rooms, sources: readonly Source[]): RoomFacts[] {
  const facts: RoomFacts[] = []
  for (const name of rooms.names) {
    const own = sources.filter(({ path }) => roomOf(rooms, path) === name)
    if (own.length === 0) continue
    const imported = new Set(own.flatMap((source) => source.imports.map((path) => roomOf(rooms, path))))
    const imports = rooms.names.filter((other) => other !== name && imported.has(other))
    const levels = facts.filter((fact) => imports.includes(fact.name)).map(({ level }) => level)
    const lines = own.reduce((sum, source) => sum + linesOf(source), 0)
    facts.push({ name, files: own.length, lines, imports, level: Math.max(0, ...levels) + 1 })
  }
  return facts
}
