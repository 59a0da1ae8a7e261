// What may know what. Data goes one way (README, layout), so imports do too: db <- command, and
// db <- query/cdc <- query/orders <- query/http. The topics are the contract between the sides; no code is.
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const parts = ["command", "connectors", "db", "query"]

type Source = { path: string; text: string; imports: string[] }

/** Imports of files are paths from the root, those of packages their names (`pg`, `node:fs`, `hono/cors`). */
function importsOf(path: string, text: string): string[] {
  const named =
    /^\s*(?:import|export)\b[^"'`;]*?\bfrom\s+"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm
  return [...text.matchAll(named)].map(([, from, bare, dynamic]) => {
    const name = from ?? bare ?? dynamic ?? ""
    return name.startsWith(".") ? join(dirname(path), name) : name
  })
}

function readSources(part: string): Source[] {
  return readdirSync(join(root, part), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => {
      const path = join(part, name)
      const text = readFileSync(join(root, path), "utf8")
      return { path, text, imports: importsOf(path, text) }
    })
}

const sources = parts.flatMap(readSources)
const under = (folder: string) => sources.filter(({ path }) => path.startsWith(`${folder}/`))

/** `file -> import` for every import that a rule forbids. */
const imports = (from: readonly Source[], isForbidden: (name: string) => boolean): string[] =>
  from.flatMap(({ path, imports: names }) => names.filter(isForbidden).map((name) => `${path} -> ${name}`))

const isUnder =
  (...folders: string[]) =>
  (name: string): boolean =>
    folders.some((folder) => name.startsWith(`${folder}/`))

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
    { part: "query/cdc", never: ["query/orders", "query/http"] },
  ]

  test.each(rules)("$part imports nothing from $never", ({ part, never }) => {
    expect(imports(under(part), isUnder(...never))).toEqual([])
  })

  test("of the read side only the command line imports connectors", () => {
    const importing = under("query").filter(({ imports: names }) => names.some(isUnder("connectors")))
    expect(importing.filter(({ path }) => !path.startsWith("query/cli/"))).toEqual([])
  })

  test("nothing imports tests", () => {
    expect(imports(sources, isUnder("test"))).toEqual([])
  })

  test("how HTTP is answered knows the routes of the domain in one place", () => {
    const others = under("query/http").filter(({ path }) => path !== "query/app.ts")
    expect(imports(others, isUnder("query/orders"))).toEqual([])
  })

  test("of the engine, read models and routes use what readers may know: positions and the cache", () => {
    const allowed = [
      "query/cdc/vocabulary/lsn.ts",
      "query/cdc/projection/projection.ts",
      "query/cdc/projection/define-projections.ts",
      "query/cdc/cache/redis-session.ts",
      "query/cdc/cache/scripts.ts",
      "query/cdc/cache/layout.ts",
    ]
    const readers = [...under("query/http"), ...under("query/orders")].filter(
      ({ path }) => path !== "query/http/dependency-checks.ts",
    )
    const isInner = (name: string) => isUnder("query/cdc")(name) && !allowed.includes(name)
    expect(imports(readers, isInner)).toEqual([])
  })
})

describe("packages stay where they belong", () => {
  const importersOf = (name: string, from = sources) =>
    from.filter(({ imports: names }) => names.some((one) => one === name || one.startsWith(`${name}/`)))

  test("the read side reads Kafka in one file and writes in transactions in another", () => {
    expect(importersOf("kafkajs", under("query")).map(({ path }) => path)).toEqual([
      "query/cdc/kafka/kafka.ts",
      "query/cdc/kafka/transactional-producer.ts",
    ])
  })

  test("Redis is spoken in one file", () => {
    expect(importersOf("ioredis").map(({ path }) => path)).toEqual(["query/cdc/cache/redis-session.ts"])
  })

  test("the write side writes to its own tables and nowhere else: no Kafka, no Redis", () => {
    expect(imports(under("command"), (name) => ["kafkajs", "ioredis"].includes(name))).toEqual([])
  })

  test("what decides is pure: the aggregate, the assembler and the batch import no package", () => {
    const pure = [
      "command/orders/aggregate/decide.ts",
      "command/orders/aggregate/draft.ts",
      "command/orders/aggregate/repricing.ts",
      "command/orders/aggregate/requested-items.ts",
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
      "query/cdc/assemble/pending-ends.ts",
    ]
    const deciding = sources.filter(({ path }) => pure.includes(path))
    expect(deciding).toHaveLength(pure.length)
    expect(imports(deciding, (name) => !isUnder(...parts)(name))).toEqual([])
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
    const tooLong = sources
      .filter(({ text }) => !/^(\/\/.*\n)*\/\/ Longer than 250 lines because /.test(text))
      .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
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
