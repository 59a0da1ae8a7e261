// The variables of `.env.example`, as a shell would read them.
import { readFileSync } from "node:fs"

/** Name and value of each line that sets one. */
export function readExample(): Record<string, string> {
  const text = readFileSync(new URL("../../.env.example", import.meta.url), "utf8")
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  )
}
