// Preflight: the table that a name means. A name without a schema is in `public` until the file sets another search path.
import type { Node, RangeVar } from "libpg-query"
import { textOf } from "./column-type.ts"

export type Names = {
  /** Schema and name, as the connector's settings have them. */
  of: (relation: RangeVar | undefined) => string
  /** The same for a name as DROP writes it. */
  ofParts: (node: Node) => string
  setDefaultSchema: (schema: string) => void
}

export function createNames(): Names {
  let defaultSchema = "public"
  return {
    of: (relation) => `${relation?.schemaname ?? defaultSchema}.${relation?.relname ?? ""}`,
    ofParts(node) {
      const parts = "List" in node ? (node.List.items ?? []).map(textOf) : [textOf(node)]
      return parts.length > 1 ? parts.slice(-2).join(".") : `${defaultSchema}.${parts[0] ?? ""}`
    },
    setDefaultSchema(schema) {
      defaultSchema = schema
    },
  }
}
