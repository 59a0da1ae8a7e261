// What may know what. Data goes one way, and imports go with it: db, then connectors and the two sides, each an ordered
// list of rooms in which a file imports only its own room and rooms before it (test/architecture/rooms.ts). The topics
// are the contract between the sides; no code is.
import { describe, expect, test } from "vitest"
import {
  capture,
  circles,
  engine,
  importsGoingBack,
  type Rooms,
  readSide,
  roomOf,
  writeSide,
} from "./architecture/rooms.ts"
import { isUnder, linesOf, parts, readSources, readTests, type Source } from "./architecture/sources.ts"

const sources = readSources()
const under = (folder: string) => sources.filter(({ path }) => path.startsWith(`${folder}/`))

/** `file -> import` for every import that a rule forbids. */
const imports = (from: readonly Source[], isForbidden: (name: string) => boolean): string[] =>
  from.flatMap(({ path, imports: names }) => names.filter(isForbidden).map((name) => `${path} -> ${name}`))

test("the sources are found and their imports read", () => {
  expect(sources.length).toBeGreaterThan(80)
  expect(sources.find(({ path }) => path === "query/cdc/apply/apply.ts")?.imports).toEqual(
    expect.arrayContaining(["kysely", "db/query-schema.ts", "query/cdc/events/infer-events.ts"]),
  )
  const files = new Set(sources.map(({ path }) => path))
  expect(
    imports(sources, (name) => isUnder(...parts)(name) && name.endsWith(".ts") && !files.has(name)),
  ).toEqual([])
})

describe("imports go with the data", () => {
  const rules: { part: string; never: string[] }[] = [
    { part: "db", never: ["command", "connectors", "query"] },
    { part: "command", never: ["query", "connectors"] },
    { part: "connectors", never: ["command", "query"] },
    { part: "query", never: ["command"] },
  ]

  test.each(rules)("$part imports nothing from $never", ({ part, never }) => {
    expect(imports(under(part), isUnder(...never))).toEqual([])
  })

  test("of the read side, the command line alone calls operations on the connector", () => {
    const others = under("query").filter(({ path }) => !isUnder("query/cli")(path))
    expect(imports(others, isUnder("connectors"))).toEqual([])
  })

  test("nothing imports tests", () => {
    expect(imports(sources, isUnder("test"))).toEqual([])
  })

  const orders: Rooms[] = [engine, readSide, writeSide, capture]

  test.each(orders)("$folder: a file imports its own room and rooms before it", (rooms) => {
    expect(importsGoingBack(rooms, sources)).toEqual([])
  })

  test.each(orders)("$folder: the list has the rooms that there are, and no other", (rooms) => {
    const found = new Set(under(rooms.folder).map(({ path }) => roomOf(rooms, path) ?? ""))
    expect([...found].sort()).toEqual(rooms.names.toSorted())
  })

  test("no file imports itself through others", () => {
    expect(circles(sources)).toEqual([])
  })

  test("of the engine, read models and routes use the rooms that are made for readers", () => {
    const forReaders = ["vocabulary", "projection", "kafka", "cache"]
    const isInner = (name: string) => {
      const room = roomOf(engine, name)
      return room !== null && !forReaders.includes(room)
    }
    expect(imports([...under("query/http"), ...under("query/orders")], isInner)).toEqual([])
  })
})

describe("the reading of imports", () => {
  const source = (path: string, ...imported: string[]): Source => ({ path, text: "", imports: imported })
  const house: Rooms = { folder: "house", names: ["cellar", "hall", "attic.ts"] }

  test("an import of a later room goes back, and so does one of a room that is not listed", () => {
    const files = [
      source("house/cellar/coal.ts", "house/hall/door.ts", "pg"),
      source("house/hall/door.ts", "house/cellar/coal.ts", "house/shed/spade.ts"),
      source("house/attic.ts", "house/hall/door.ts"),
    ]
    expect(importsGoingBack(house, files)).toEqual([
      "house/cellar/coal.ts -> house/hall/door.ts",
      "house/hall/door.ts -> house/shed/spade.ts",
    ])
  })

  test("a folder that is listed beside the one it is in is a room of its own", () => {
    const nested: Rooms = { folder: "house", names: [".", "hall/stairs", "hall"] }
    expect(roomOf(nested, "house/hall/stairs/step.ts")).toBe("hall/stairs")
    expect(roomOf(nested, "house/hall/door.ts")).toBe("hall")
    expect(roomOf(nested, "house/roof.ts")).toBe(".")
    expect(roomOf(nested, "garden/tree.ts")).toBeNull()
  })

  test("a circle is told once, and a file that only leads into it is no part of it", () => {
    const files = [source("a.ts", "b.ts"), source("b.ts", "c.ts", "pg"), source("c.ts", "b.ts")]
    expect(circles(files)).toEqual([["b.ts", "c.ts"]])
  })
})

describe("packages stay where they belong", () => {
  const importersOf = (name: string, from = sources) =>
    from.filter(({ imports: names }) => names.some((one) => one === name || one.startsWith(`${name}/`)))

  test("the read side speaks to Kafka in one room", () => {
    const outside = importersOf("kafkajs", under("query")).filter(
      ({ path }) => !isUnder("query/cdc/kafka")(path),
    )
    expect(outside.map(({ path }) => path)).toEqual([])
  })

  test("Redis is spoken in one file", () => {
    expect(importersOf("ioredis").map(({ path }) => path)).toEqual(["query/cdc/cache/redis-session.ts"])
  })

  test("the registry is asked in one file, and the Avro library called in another", () => {
    const files = (name: string) => importersOf(name).map(({ path }) => path)
    expect(files("@kafkajs/confluent-schema-registry")).toEqual(["query/cdc/decode/schema-registry.ts"])
    expect(files("avsc")).toEqual(["query/cdc/decode/lean-schema.ts"])
  })

  test("the write side writes to its own tables and nowhere else: no Kafka, no Redis", () => {
    expect(imports(under("command"), (name) => ["kafkajs", "ioredis"].includes(name))).toEqual([])
  })

  test("what decides is pure: prices, the assembler, the flow and the batch import no package", () => {
    const pure = [
      "command/pricing/basket.ts",
      "command/pricing/discount.ts",
      "command/pricing/price.ts",
      "command/pricing/rounding.ts",
      "command/pricing/shipping.ts",
      "command/pricing/stacking.ts",
      "query/cdc/assemble/assemble.ts",
      "query/cdc/assemble/back-pressure.ts",
      "query/cdc/rows/batch.ts",
      "query/cdc/vocabulary/change.ts",
      "query/cdc/rows/chunks.ts",
      "query/cdc/vocabulary/lsn.ts",
      "query/cdc/assemble/missing-history.ts",
      "query/cdc/assemble/pending.ts",
      "query/cdc/assemble/patience.ts",
      "query/cdc/assemble/pending-ends.ts",
      "query/cdc/assemble/proof.ts",
      "query/cdc/dead-letters/parking-queue.ts",
      "query/cdc/intake/pauses.ts",
      "query/cdc/intake/reading.ts",
      "query/cdc/projector/flow.ts",
    ]
    const deciding = sources.filter(({ path }) => pure.includes(path))
    expect(deciding).toHaveLength(pure.length)
    expect(imports(deciding, (name) => !isUnder(...parts)(name))).toEqual([])
  })
})

describe("twins", () => {
  // No code is between the sides, so a change of one file is made in the other, too.
  const twins = ["http/docs.ts", "http/server.ts"]
  const textOf = (path: string) => sources.find((source) => source.path === path)?.text

  test.each(twins)("%s is the same on both sides, byte for byte", (name) => {
    expect(textOf(`command/${name}`)).toBeDefined()
    expect(textOf(`query/${name}`)).toBe(textOf(`command/${name}`))
  })
})

test("only configuration reads the environment", () => {
  const readers = sources.filter(({ text }) => /\bprocess\.env\b/.test(text)).map(({ path }) => path)
  const allowed = ["command/config.ts", "query/cli/settings.ts", "query/config.ts"]
  expect(readers.filter((path) => !allowed.includes(path))).toEqual([])
})

test("the engine knows tables and rows, and no word of the domain", () => {
  // Where order is a sequence: `in commit order`, `the order in which`, `order between`, `ordered`, `.orderBy(`.
  const sequence =
    /\bin (the |their |its )?(\w+('s)? )?order\b|\border (of|in|by|between)\b|\bordered\b|orderBy|byOrderOf/gi
  const domain = /order|customer|product|payment|invoice|currency|shipping|checkout/i
  const told = under("query/cdc").flatMap(({ path, text }) =>
    text
      .split("\n")
      .map((line, index) => ({ line: line.replace(sequence, ""), place: `${path}:${index + 1}` }))
      .filter(({ line }) => domain.test(line))
      .map(({ line, place }) => `${place} ${line.trim()}`),
  )
  expect(told).toEqual([])
})

describe("files", () => {
  test("are one idea of at most 250 lines, or say in their opening comment why they are longer", () => {
    const reason = /^(\/\/.*\n)*\/\/ (Longer than 250 lines because|One file:) /
    const tooLong = [...sources, ...readTests()]
      .filter(({ text }) => !reason.test(text))
      .map((source) => ({ path: source.path, lines: linesOf(source) }))
      .filter(({ lines }) => lines > 250)
    expect(tooLong).toEqual([])
  })

  test("open by saying which step of the flow they are", () => {
    expect(sources.filter(({ text }) => !/^(#!.*\n)?\/\/ \S/.test(text)).map(({ path }) => path)).toEqual([])
  })

  test("are named by what they hold, not by their kind, in kebab case", () => {
    const kinds =
      /(^|\/)(utils?|commons?|shared|helpers?|lib|misc|services?|managers?|types|constants)(\/|\.ts$)/
    const badly = sources.filter(
      ({ path }) =>
        kinds.test(path) || !/^[a-z0-9]+([-./][a-z0-9]+)*\.ts$/.test(path) || /index\.ts$/.test(path),
    )
    expect(badly.map(({ path }) => path)).toEqual([])
  })

  test("export what they make, not what others do", () => {
    const barrels = sources.filter(({ text }) => /^export (\*|\{[^}]*\}) from /m.test(text))
    expect(barrels.map(({ path }) => path)).toEqual([])
  })
})
