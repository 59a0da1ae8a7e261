// Preflight: tables, schemas and types as a whole: made, renamed, moved, dropped. The publication holds tables, the
// connector's settings hold names; where the two part, changes are lost and nobody is told.
import type { AlterObjectSchemaStmt, CreateStmt, DropStmt, RenameStmt } from "libpg-query"
import type { Captured } from "./captured.ts"
import { textOf } from "./column-type.ts"
import type { Names } from "./names.ts"
import { judgeDropPublication } from "./publication.ts"
import {
  expandAndContract,
  halts,
  loses,
  notice,
  ok,
  otherForm,
  rebuildNext,
  unknown,
  type Verdict,
} from "./verdict.ts"

const replaced = (name: string): Verdict =>
  loses(
    `${name} is another table from then on: the publication holds the old one, so changes of this one are not captured.`,
    "Add it to the publication before anything is written, then rebuild: npx lockstep projection rebuild.",
  )

export function judgeCreateTable(captured: Captured, names: Names, statement: CreateStmt): Verdict {
  const name = names.of(statement.relation)
  const parents = (statement.inhRelations ?? []).flatMap((node) =>
    "RangeVar" in node ? [names.of(node.RangeVar)] : [],
  )
  if (parents.some((parent) => captured.tables.has(parent))) {
    return unknown(`${name} is a partition or child of a captured table.`)
  }
  if (!captured.tables.has(name))
    return ok(`${name} is new: captured by nobody until it is published and in table.include.list.`)
  return statement.if_not_exists === true ? notice(`${name} is there already.`) : replaced(name)
}

const withoutRows = new Set([
  "OBJECT_INDEX",
  "OBJECT_TABCONSTRAINT",
  "OBJECT_VIEW",
  "OBJECT_MATVIEW",
  "OBJECT_SEQUENCE",
  "OBJECT_TRIGGER",
  "OBJECT_RULE",
  "OBJECT_POLICY",
  "OBJECT_FUNCTION",
  "OBJECT_PROCEDURE",
  "OBJECT_TYPE",
  "OBJECT_DOMAIN",
])

export function judgeRename(captured: Captured, names: Names, statement: RenameStmt): Verdict {
  const { renameType = "", subname = "" } = statement
  if (renameType === "OBJECT_COLUMN") return judgeRenamedColumn(captured, names, statement)
  if (renameType === "OBJECT_TABLE") return judgeRenamedTable(captured, names, statement)
  if (renameType === "OBJECT_SCHEMA") {
    return holdsCaptured(captured, subname)
      ? loses(`Schema ${subname} has captured tables, which are captured by name.`, "Leave the name.")
      : ok(`Schema ${subname} has no captured table.`)
  }
  if (renameType === "OBJECT_PUBLICATION")
    return judgeDropPublication(captured, textOf(statement.object) ?? "")
  return withoutRows.has(renameType)
    ? ok("No row changes.")
    : unknown(`A ${plain(renameType)} gets another name.`)
}

function judgeRenamedColumn(captured: Captured, names: Names, statement: RenameStmt): Verdict {
  const { relationType, subname = "", newname = "" } = statement
  const name = names.of(statement.relation)
  const table = captured.tables.get(name)
  if (!table || relationType !== "OBJECT_TABLE") return ok(`${name} is not captured.`)
  if (table.columns.has(newname)) {
    return loses(
      `${name}.${newname} is read and becomes another column: its values in all rows change without a change.`,
      rebuildNext,
    )
  }
  return table.columns.has(subname)
    ? halts(`${name}.${subname} is read, and later records do not have it.`, expandAndContract)
    : otherForm("ok", `${name}.${subname} is not read.`)
}

function judgeRenamedTable(captured: Captured, names: Names, statement: RenameStmt): Verdict {
  const name = names.of(statement.relation)
  const renamed = `${name.slice(0, name.indexOf("."))}.${statement.newname ?? ""}`
  if (captured.tables.has(renamed)) return replaced(renamed)
  if (!captured.tables.has(name)) return ok(`${name} is not captured.`)
  return loses(
    `${name} is captured by name: its changes go on under the old name until the connector restarts, and are lost from then on.`,
    "Leave the name; a view may have the new one.",
  )
}

export function judgeMove(captured: Captured, names: Names, statement: AlterObjectSchemaStmt): Verdict {
  const name = names.of(statement.relation)
  if (statement.objectType !== "OBJECT_TABLE")
    return ok(`A ${plain(statement.objectType)} moves; no row changes.`)
  if (captured.tables.has(name)) {
    return loses(
      `${name} is captured by name: its changes are lost from the connector's next restart on.`,
      "Leave it in its schema.",
    )
  }
  const moved = `${statement.newschema ?? ""}.${name.slice(name.indexOf(".") + 1)}`
  return captured.tables.has(moved) ? replaced(moved) : ok(`${name} is not captured.`)
}

export function judgeDrop(captured: Captured, names: Names, statement: DropStmt): Verdict[] {
  const { removeType = "" } = statement
  const cascades = statement.behavior === "DROP_CASCADE"
  return (statement.objects ?? []).map((node) => {
    if (removeType === "OBJECT_TABLE") return judgeDroppedTable(captured, names.ofParts(node))
    if (removeType === "OBJECT_PUBLICATION") return judgeDropPublication(captured, textOf(node) ?? "")
    if (removeType === "OBJECT_SCHEMA" && holdsCaptured(captured, textOf(node) ?? "")) {
      return loses("Captured tables of the schema go; their rows stay in the read models.", "Leave it.")
    }
    return cascades && !rowless.has(removeType)
      ? unknown(`A ${plain(removeType)} goes with all that depends on it, columns among them.`)
      : ok(`A ${plain(removeType)} goes; no row changes.`)
  })
}

/** Nothing that depends on one of these is a column of a table. */
const rowless = new Set([
  "OBJECT_INDEX",
  "OBJECT_VIEW",
  "OBJECT_MATVIEW",
  "OBJECT_TRIGGER",
  "OBJECT_RULE",
  "OBJECT_POLICY",
])

function judgeDroppedTable(captured: Captured, name: string): Verdict {
  if (!captured.tables.has(name)) return ok(`${name} is not captured.`)
  return loses(
    `${name} goes without a change: its rows stay in the read models, and the next base load fails.`,
    "First deploy projections without it and take it out of table.include.list.",
  )
}

const holdsCaptured = (captured: Captured, schema: string): boolean =>
  [...captured.tables.keys()].some((name) => name.startsWith(`${schema}.`))

const plain = (type: string | undefined): string => (type ?? "thing").replace("OBJECT_", "").toLowerCase()
