// Preflight: the connector's publication. What is not published never reaches the WAL reader and is counted in no END:
// nothing downstream can notice that it is missing.
import type { AlterPublicationStmt, CreatePublicationStmt, Node, PublicationTable } from "libpg-query"
import type { Captured } from "./captured.ts"
import { textOf } from "./column-type.ts"
import type { Names } from "./names.ts"
import { halts, loses, notice, ok, unknown, type Verdict } from "./verdict.ts"

const registerNext =
  "Add it to table.include.list in connectors/orders.json and run npx lockstep connector register; a version that reads it loads a fresh generation."

export function judgeAlterPublication(
  captured: Captured,
  names: Names,
  statement: AlterPublicationStmt,
): Verdict[] {
  const { pubname = "" } = statement
  if (pubname !== captured.publication) return [ok(`Publication ${pubname} is not the connector's.`)]
  if ((statement.options ?? []).length > 0) return (statement.options ?? []).map(judgeOption(pubname))
  const tables = publishedTables(statement.pubobjects ?? [])
  if (tables === null) return [unknown(`Publication ${pubname} changes by schemas.`)]
  const named = tables.map((table) => ({ table, name: names.of(table.relation) }))
  if (statement.action === "AP_DropObjects") {
    return named.map(({ name }) =>
      captured.tables.has(name)
        ? loses(
            `Changes of ${name} are not published any more.`,
            "Leave it; or deploy projections without the table first.",
          )
        : ok(`${name} is not captured.`),
    )
  }
  const verdicts = named.map(({ table, name }) => judgePublished(captured, name, table))
  if (statement.action !== "AP_SetObjects") return verdicts
  const kept = new Set(named.map(({ name }) => name))
  const expected = [
    ...captured.tables.keys(),
    ...(captured.signalTable === null ? [] : [captured.signalTable]),
  ]
  const missing = expected.filter((name) => !kept.has(name))
  return [
    ...verdicts,
    ...missing.map((name) =>
      loses(`${name} is not in the new list, so its changes are not published.`, "Name it too."),
    ),
  ]
}

export function judgeCreatePublication(captured: Captured, { pubname = "" }: CreatePublicationStmt): Verdict {
  if (pubname !== captured.publication) return ok(`Publication ${pubname} is not the connector's.`)
  return notice(
    `Publication ${pubname} is made: what was written while there was none is never captured.`,
    "If it is not the first, rebuild afterwards: npx lockstep projection rebuild.",
  )
}

export const judgeDropPublication = (captured: Captured, name: string): Verdict =>
  name === captured.publication
    ? loses(
        `Publication ${name} goes: no change is captured until it is back, and those of the time between never are; heartbeats stop, so answers only grow old.`,
        "Leave it; otherwise make it again at once and rebuild: npx lockstep projection rebuild.",
      )
    : ok(`Publication ${name} is not the connector's.`)

function judgePublished(captured: Captured, name: string, table: PublicationTable): Verdict {
  const known = captured.tables.get(name)
  if (!known) return notice(`${name} is published, and nobody captures it yet.`, registerNext)
  if (table.whereClause) {
    return loses(
      `${name} is published with a row filter: changes of other rows are not captured.`,
      "Publish it without a filter.",
    )
  }
  const listed = (table.columns ?? []).map((column) => textOf(column) ?? "")
  const missing =
    listed.length === 0 ? [] : [...known.columns.keys()].filter((column) => !listed.includes(column))
  if (missing.length > 0) {
    return halts(`${name} is published without ${missing.join(", ")}, which is read.`, "Publish all columns.")
  }
  return ok(`${name} is published.`)
}

const judgeOption =
  (publication: string) =>
  (node: Node): Verdict => {
    const name = "DefElem" in node ? node.DefElem.defname : undefined
    const value = "DefElem" in node ? (textOf(node.DefElem.arg) ?? "") : ""
    if (name !== "publish") return unknown(`Publication ${publication} gets ${name ?? "an option"}.`)
    const missing = ["insert", "update", "delete", "truncate"].filter(
      (operation) => !value.includes(operation),
    )
    return missing.length === 0
      ? ok(`Publication ${publication} publishes everything.`)
      : loses(
          `Publication ${publication} leaves out ${missing.join(", ")}.`,
          "Publish insert, update, delete and truncate.",
        )
  }

/** Null when not all of it is named table by table. */
function publishedTables(objects: readonly Node[]): PublicationTable[] | null {
  const tables = objects.map((node) =>
    "PublicationObjSpec" in node ? node.PublicationObjSpec.pubtable : undefined,
  )
  return tables.every((table) => table !== undefined) ? tables : null
}
