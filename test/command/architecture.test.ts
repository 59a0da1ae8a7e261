// Which folder of the write side may know which. The list is the way of a command from its words to the running service;
// an import leads to the same folder or to a folder before it. Example: `orders/store` may import `pricing`, and
// `pricing` may not import `orders/store`, not even a type.
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"

const folders = [
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
  "",
]

const root = fileURLToPath(new URL("../../command", import.meta.url))
const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"))

type Import = { from: string; to: string }

const imports = files.flatMap((from): Import[] =>
  [...readFileSync(join(root, from), "utf8").matchAll(/\bfrom\s+"([^"]+)"|\bimport\(?\s*"([^"]+)"/g)].map(
    ([, named, bare]) => ({ from, to: toPath(from, named ?? bare ?? "") }),
  ),
)

/** A file of this side is a path from `command/`, a file of another folder begins with `../`, a package is its name. */
function toPath(from: string, name: string): string {
  return name.startsWith(".") ? relative(root, join(root, dirname(from), name)) : name
}

const folderOf = (path: string): string => (dirname(path) === "." ? "" : dirname(path))
const isHere = (path: string): boolean => path.endsWith(".ts") && !path.startsWith("../")
const told = (found: readonly Import[]): string[] => found.map(({ from, to }) => `${from} -> ${to}`)

test("every folder has a place in the list", () => {
  expect(files.length).toBeGreaterThan(80)
  expect(imports.filter(({ to }) => isHere(to) && !files.includes(to))).toEqual([])
  expect([...new Set(files.map(folderOf))].sort()).toEqual([...folders].sort())
})

test("a folder imports itself and folders before it", () => {
  const place = (path: string): number => folders.indexOf(folderOf(path))
  expect(told(imports.filter(({ from, to }) => isHere(to) && place(to) > place(from)))).toEqual([])
})

test("the aggregate is pure: it imports no package, and of other folders only words and rules", () => {
  const allowed = [
    /^vocabulary\//,
    /^orders\/aggregate\//,
    /^pricing\/(basket|price)\.ts$/,
    /^products\/product\.ts$/,
    /^payments\/provider\.ts$/,
  ]
  const impure = imports.filter(
    ({ from, to }) => folderOf(from) === "orders/aggregate" && !allowed.some((one) => one.test(to)),
  )
  expect(told(impure)).toEqual([])
})

test("the provider's port knows no order: it is given the way to record an answer", () => {
  const known = imports.filter(({ from, to }) => folderOf(from) === "payments" && /^orders\b/.test(to))
  expect(told(known)).toEqual([])
})
