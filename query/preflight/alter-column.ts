// Preflight: ALTER TABLE on the columns of a captured table. Postgres writes no row changes for what a table rewrite
// does (a new type, a default for the rows that are there): the WAL has the new rows and logical decoding passes them
// over. So values that change that way never reach the read side.
import type { AlterTableCmd, ColumnDef, Node } from "libpg-query"
import type { CapturedTable } from "./captured.ts"
import { fitOf, textOf, typeName } from "./column-type.ts"
import {
  expandAndContract,
  halts,
  loses,
  notice,
  ok,
  otherForm,
  rebuildNext,
  type Verdict,
} from "./verdict.ts"

export function judgeAddColumn(table: CapturedTable, column: ColumnDef): Verdict {
  const name = `${table.name}.${column.colname ?? ""}`
  if (table.columns.has(column.colname ?? "")) {
    return loses(
      `${name} is read, and the rows that are there get its value (the default, or null) without a change.`,
      `Fill it with an UPDATE after it was added, or rebuild: npx lockstep projection rebuild.`,
    )
  }
  const constraints = (column.constraints ?? []).flatMap((node) =>
    "Constraint" in node ? [node.Constraint] : [],
  )
  const has = (type: string) => constraints.some(({ contype }) => contype === type)
  if (has("CONSTR_GENERATED")) {
    return notice(
      `${name} is generated: Postgres does not publish generated columns, so no projection can read it.`,
    )
  }
  const isFilled = has("CONSTR_IDENTITY") || /serial/.test(column.typeName ? typeName(column.typeName) : "")
  const initial = constraints.find(({ contype }) => contype === "CONSTR_DEFAULT")?.raw_expr
  if (!initial && !isFilled) return otherForm("ok", `${name} is new: ignored until a projection reads it.`)
  const rewrites = isFilled || (initial !== undefined && !isConstant(initial))
  const lock = rewrites ? " The table is rewritten under an ACCESS EXCLUSIVE lock." : ""
  const filled = `The rows that are there get their value without a change; a version that reads it loads a fresh generation and has them.${lock}`
  if (has("CONSTR_NOTNULL") || has("CONSTR_PRIMARY") || isFilled) {
    return otherForm("notice", `${name} is new: ignored until a projection reads it. ${filled}`)
  }
  return otherForm(
    "notice",
    `${name} may be null and has a default: the connector sends the default in place of null, so no projection can read it as it is. ${filled}`,
    "Declare it not null, or leave the default out.",
  )
}

export function judgeDropColumn(table: CapturedTable, column: string): Verdict {
  const name = `${table.name}.${column}`
  if (!table.columns.has(column)) return otherForm("ok", `${name} is not read.`)
  return halts(
    `${name} is read, and later records do not have it.`,
    "First deploy projections that do not read it, then drop it.",
  )
}

export function judgeRetype(table: CapturedTable, command: AlterTableCmd): Verdict {
  const column = command.name ?? ""
  const name = `${table.name}.${column}`
  const read = table.columns.get(column)
  const definition = command.def && "ColumnDef" in command.def ? command.def.ColumnDef : undefined
  const type = definition?.typeName
  if (read === undefined) return otherForm("ok", `${name} is not read.`)
  if (!type) return halts(`${name} gets a type that the file does not name.`, expandAndContract)
  const told = `${name} is read as ${read} and becomes ${typeName(type)}`
  const fit = fitOf(read, type)
  if (fit === "rounded") {
    return loses(`${told} with a precision: stored values are rounded to it without a change.`, rebuildNext)
  }
  if (fit === "inexact") {
    return halts(`${told}, from which it cannot be read exactly.`, expandAndContract)
  }
  if (!isPlainCast(definition?.raw_default, column)) {
    return loses(
      `${told} with USING: the rows that are there get other values without a change.`,
      `Fill a new column with UPDATEs instead, or rebuild: npx lockstep projection rebuild.`,
    )
  }
  if (fit === "exact") {
    return otherForm(
      "notice",
      `${told}, from which it is read exactly. The table may be rewritten, which changes no value that is read.`,
    )
  }
  if (read === "text") {
    return otherForm(
      "notice",
      `${told}: an enum is read as its label. Any other type that the file does not define halts the projector.`,
      "Make sure that it is an enum or a domain over text.",
    )
  }
  return halts(`${told}, a type that the file does not define.`, expandAndContract)
}

export function judgeDefault(table: CapturedTable, command: AlterTableCmd): Verdict {
  const name = `${table.name}.${command.name ?? ""}`
  if (!table.columns.has(command.name ?? "")) return otherForm("ok", `${name} is not read.`)
  const isNull = command.def && "A_Const" in command.def && command.def.A_Const.isnull === true
  if (!command.def || isNull) return otherForm("ok", `${name} loses its default.`)
  return halts(
    `${name} gets a default: if the column may be null, the connector sends the default in place of null, which is refused. A column that is not null goes on.`,
    "Make sure that the column is not null, or set the value in the application.",
  )
}

export function judgeNotNull(table: CapturedTable, command: AlterTableCmd, isSet: boolean): Verdict {
  const name = `${table.name}.${command.name ?? ""}`
  if (!table.columns.has(command.name ?? "")) return otherForm("ok", `${name} is not read.`)
  if (isSet) {
    return otherForm(
      "notice",
      `${name} becomes not null: the connector declares changes by what the column is when it sends them, so a null that it has not sent yet reads as an empty value until the row's next change.`,
      "Let the connector catch up after the last null was filled (npx lockstep connector status: bytes behind), then set it.",
    )
  }
  return halts(
    `${name} may become null: if the column has a default, the connector sends the default in place of null, which is refused. A column without a default goes on.`,
    "Drop the column's default before, in the same transaction.",
  )
}

export function judgeColumnOption(table: CapturedTable, command: AlterTableCmd): Verdict {
  const name = `${table.name}.${command.name ?? ""}`
  if (command.subtype === "AT_SetStorage" && table.columns.has(command.name ?? "")) {
    return notice(
      `${name} may be stored out of line: a column read with text() is expected in every update.`,
      "Declare it with longText().",
    )
  }
  return ok(`${name}: no value changes.`)
}

/** No USING, or one that names the column, cast to a type without a length: such a cast would cut values off. */
function isPlainCast(using: Node | undefined, column: string): boolean {
  if (!using) return true
  if (!("TypeCast" in using)) return isColumn(using, column)
  const { arg, typeName: type } = using.TypeCast
  return arg !== undefined && isColumn(arg, column) && (type?.typmods ?? []).length === 0
}

const isColumn = (node: Node, column: string): boolean =>
  "ColumnRef" in node && textOf((node.ColumnRef.fields ?? []).at(-1)) === column

const isConstant = (node: Node): boolean =>
  "A_Const" in node ||
  ("TypeCast" in node && node.TypeCast.arg !== undefined && isConstant(node.TypeCast.arg))
