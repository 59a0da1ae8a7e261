// The product's sources and what each of them imports: the one reading that the architecture test and
// `npm run architecture` judge. An import for types alone counts like every other.
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
export const parts = ["command", "connectors", "db", "query"]

/** `imports` are paths from the root for files, and names for packages (`pg`, `node:fs`, `hono/cors`). */
export type Source = { path: string; text: string; imports: readonly string[] }

/** Every TypeScript file of the product. */
export const readSources = (): Source[] => parts.flatMap(readPart)

/** Every TypeScript file of the tests. */
export const readTests = (): Source[] => readPart("test")

function readPart(part: string): Source[] {
  return readdirSync(join(root, part), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => {
      const path = join(part, name)
      const text = readFileSync(join(root, path), "utf8")
      return { path, text, imports: importsOf(path, text) }
    })
}

function importsOf(path: string, text: string): string[] {
  const named =
    /^\s*(?:import|export)\b[^"'`;]*?\bfrom\s+"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm
  return [...text.matchAll(named)].map(([, from, bare, dynamic]) => {
    const name = from ?? bare ?? dynamic ?? ""
    return name.startsWith(".") ? join(dirname(path), name) : name
  })
}

export const linesOf = ({ text }: Source): number => text.split("\n").length - 1

export const isUnder =
  (...folders: string[]) =>
  (name: string): boolean =>
    folders.some((folder) => name.startsWith(`${folder}/`))
