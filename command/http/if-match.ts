// The header `If-Match` (RFC 9110, 13.1.1) of a request. Both `"3"` of this side and `"3-<hash>"` of the read side name
// version 3. Comparison is strong, so `W/"3"` matches nothing.
import { z } from "@hono/zod-openapi"
import type { IfMatch } from "../execute/if-match.ts"

const entry = /^[ \t]*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,|$)/
const versionTag = /^(\d{1,9})(?:-.*)?$/

/** The header's meaning, or undefined if it is malformed. */
export function parseIfMatch(header: string): IfMatch | undefined {
  if (header.trim() === "*") return "any"
  const versions: number[] = []
  let rest = header
  while (rest !== "") {
    const [whole, weak, tag = ""] = entry.exec(rest) ?? []
    if (whole === undefined) return undefined
    const version = versionTag.exec(tag)?.[1]
    if (weak === undefined && version !== undefined) versions.push(Number(version))
    rest = rest.slice(whole.length).trimStart()
  }
  return header.trim() === "" ? undefined : versions
}

export const ifMatchHeader = z
  .string()
  .max(1_000)
  .transform((header, context) => {
    const parsed = parseIfMatch(header)
    if (parsed === undefined) context.addIssue({ code: "custom", message: 'must be "*" or quoted ETags' })
    return parsed
  })
  .optional()
  .openapi({ type: "string", example: '"3"', description: "Change only this version, as given by an ETag." })
