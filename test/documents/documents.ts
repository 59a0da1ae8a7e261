// The documents of the project: every Markdown file that is kept in git.
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { projectDirectory } from "../stack/layout.ts"

export type Document = { file: string; text: string }

/** In the order in which a reader meets them: README, then a folder's own. */
export function readDocuments(): Document[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
    cwd: projectDirectory,
    encoding: "utf8",
  })
  return listed
    .split("\n")
    .filter((file) => file !== "")
    .toSorted((a, b) => a.split("/").length - b.split("/").length || (a < b ? -1 : 1))
    .map((file) => ({ file, text: readFileSync(join(projectDirectory, file), "utf8") }))
}
