// Preflight: statements that write rows. They are captured like every other write; what matters is how many come in
// one transaction, and TRUNCATE, which names no rows at all.
import type { Node, TruncateStmt } from "libpg-query"
import type { Captured } from "./captured.ts"
import type { Names } from "./names.ts"
import { halts, loses, notice, ok, unknown, type Verdict } from "./verdict.ts"

export function judgeTruncate(captured: Captured, names: Names, statement: TruncateStmt): Verdict[] {
  const tables = (statement.relations ?? []).flatMap((node) =>
    "RangeVar" in node ? [names.of(node.RangeVar)] : [],
  )
  return tables.map((name) => {
    if (captured.tables.has(name)) {
      return {
        ...halts(
          `${name} is truncated: that names no rows, so it cannot be applied.`,
          "Use DELETE; or rebuild afterwards: npx lockstep projection rebuild.",
        ),
        registry: "nothing new",
        projector: "applies everything before it, then halts (truncate)",
      }
    }
    return statement.behavior === "DROP_CASCADE"
      ? unknown(`${name} is truncated with all tables that refer to it.`)
      : ok(`${name} is not captured.`)
  })
}

/** What a statement with rows in it does, wherever in it they are written (also inside WITH). */
export function judgeRows(captured: Captured, names: Names, statement: Node): Verdict[] {
  const verdicts = findWrites(statement).map(({ verb, relation, isBounded }) => {
    const name = names.of(relation)
    if (!captured.tables.has(name)) return ok(`${name} is not captured.`)
    if (isBounded) return ok(`${verb} on ${name} is captured row by row.`)
    return notice(
      `${verb} on all rows of ${name} is one transaction with a change per row: it becomes visible whole, and everything behind it waits until it is.`,
      "Write large tables in slices, each in a transaction of its own.",
    )
  })
  return [...verdicts, ...findCalls(statement).flatMap(judgeCall)]
}

type Write = {
  verb: string
  relation: { schemaname?: string; relname?: string } | undefined
  isBounded: boolean
}

function findWrites(node: unknown): Write[] {
  if (typeof node !== "object" || node === null) return []
  const nested = Object.values(node).flatMap(findWrites)
  if ("UpdateStmt" in node) return [...nested, writeOf("UPDATE", node.UpdateStmt)]
  if ("DeleteStmt" in node) return [...nested, writeOf("DELETE", node.DeleteStmt)]
  if ("InsertStmt" in node) return [...nested, { ...writeOf("INSERT", node.InsertStmt), isBounded: true }]
  if ("MergeStmt" in node) return [...nested, writeOf("MERGE", node.MergeStmt)]
  if ("CopyStmt" in node) return [...nested, { ...writeOf("COPY", node.CopyStmt), isBounded: true }]
  return nested
}

function writeOf(verb: string, statement: unknown): Write {
  const isObject = typeof statement === "object" && statement !== null
  const relation = isObject && "relation" in statement ? statement.relation : undefined
  return {
    verb,
    relation: isRelation(relation) ? relation : undefined,
    isBounded: isObject && "whereClause" in statement,
  }
}

const isRelation = (value: unknown): value is { schemaname?: string; relname?: string } =>
  typeof value === "object" && value !== null && "relname" in value

/** Functions of Postgres that a migration calls and that write no rows. */
const harmless = new Set([
  "set_config",
  "setval",
  "nextval",
  "currval",
  "lastval",
  "now",
  "clock_timestamp",
  "gen_random_uuid",
  "random",
  "count",
  "max",
  "min",
  "sum",
  "coalesce",
  "lower",
  "upper",
  "md5",
  "concat",
  "format",
  "replace",
  "to_jsonb",
  "jsonb_build_object",
  "date_trunc",
  "date_bin",
  "generate_series",
  "pg_advisory_lock",
  "pg_advisory_unlock",
  "pg_advisory_xact_lock",
  "pg_notify",
  "pg_sleep",
  "version",
  "trim",
  "btrim",
  "length",
  "substring",
  "unnest",
])

function judgeCall(name: string): Verdict[] {
  if (harmless.has(name)) return []
  if (["pg_drop_replication_slot", "pg_replication_slot_advance"].includes(name)) {
    return [
      loses(
        `${name}: if it is the connector's slot, the changes behind it are gone, and the connector stops.`,
        "See connectors/README.md, history is missing.",
      ),
    ]
  }
  return [unknown(`Function ${name} is called.`)]
}

function findCalls(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return []
  const nested = Object.values(node).flatMap(findCalls)
  if (!("FuncCall" in node) || typeof node.FuncCall !== "object" || node.FuncCall === null) return nested
  const name: unknown =
    "funcname" in node.FuncCall && Array.isArray(node.FuncCall.funcname)
      ? node.FuncCall.funcname.at(-1)
      : null
  return [nameIn(name), ...nested]
}

function nameIn(node: unknown): string {
  if (typeof node !== "object" || node === null || !("String" in node)) return "?"
  const { String: text } = node
  return typeof text === "object" && text !== null && "sval" in text ? String(text.sval) : "?"
}
