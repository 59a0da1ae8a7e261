// Commands that texts tell a reader to type: `npm run x` and `lockstep noun verb --option`, with the file that names them.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

export type Named = { file: string; words: string[] }

const folders = ["command", "connectors", "db", "query", "test", ".github", ".githooks"]
// They name commands that do not exist.
const testsOfThis = ["test/next-steps.test.ts", "test/support/named-commands.ts"]
const isText = (path: string): boolean =>
  /(\.(ts|mjs|mts|md|yml|json|properties)|Dockerfile|\.env\.example)$/.test(path) &&
  !/(^|\/)(node_modules|jars|fixtures)\//.test(path)

/** Every file that speaks to people: sources with their messages, documents, and what builds and runs containers. */
export function readTexts(): { file: string; text: string }[] {
  const below = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  )
  return [...readdirSync(root), ...below]
    .filter((path) => isText(path) && path !== "package-lock.json" && !testsOfThis.includes(path))
    .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }))
}

/** Names of the npm scripts in a text; `stack:*` stands for several. */
export function namedScripts({ file, text }: { file: string; text: string }): Named[] {
  const named = text.matchAll(/\bnpm run (?:-s |--silent )*([a-z][a-z:-]*)(\*?)/g)
  return [...named].map(([, script = "", star = ""]) => ({ file, words: [`${script}${star}`] }))
}

/**
 * Words after `lockstep` in a text: noun, verb and options. `npx lockstep` always begins a command; `lockstep` alone
 * does where a noun follows, because a publication is called lockstep too.
 */
export function namedOperations({ file, text }: { file: string; text: string }, nouns: string[]): Named[] {
  const named = text.matchAll(/(\bnpx )?\blockstep ((?:[\w.:,<>[\]|=/-]+ ?)+)/g)
  return [...named]
    .map(([, npx, rest = ""]) => ({ isTyped: npx !== undefined, words: rest.trim().split(" ") }))
    .filter(({ isTyped, words }) => isTyped || nouns.includes(words[0] ?? ""))
    .map(({ words }) => ({ file, words: words.map((word) => word.replace(/(?<!\.)[.,:]$/, "")) }))
}
