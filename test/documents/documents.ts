// The documents of the project: README, its neighbours, and the Markdown files beside the code.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { projectDirectory } from "../stack/layout.ts"

export type Document = { file: string; text: string }

const folders = ["command", "connectors", "db", "query", "test"]

/** In the order in which a reader meets them: README, then a folder's own. */
export function readDocuments(): Document[] {
  const beside = readdirSync(projectDirectory)
  const below = folders.flatMap((folder) =>
    readdirSync(join(projectDirectory, folder), { recursive: true, encoding: "utf8" }).map((path) =>
      join(folder, path),
    ),
  )
  return [...beside, ...below]
    .filter((file) => file.endsWith(".md") && !file.startsWith("connectors/jars"))
    .toSorted((a, b) => a.split("/").length - b.split("/").length || (a < b ? -1 : 1))
    .map((file) => ({ file, text: readFileSync(join(projectDirectory, file), "utf8") }))
}
