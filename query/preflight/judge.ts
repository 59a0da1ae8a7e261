// Preflight: from a statement to its effects on connector, registry, projector and cache. A statement that this file does
// not know gets the verdict unknown.
import type { Node, VariableSetStmt } from "libpg-query"
import { judgeAlterTable } from "./alter-table.ts"
import type { Captured } from "./captured.ts"
import type { Names } from "./names.ts"
import { judgeCreateTable, judgeDrop, judgeMove, judgeRename } from "./objects.ts"
import { judgeAlterPublication, judgeCreatePublication } from "./publication.ts"
import { judgeRows, judgeTruncate } from "./rows.ts"
import { notice, ok, unknown, type Verdict } from "./verdict.ts"

/** Statements that change neither a row nor the form of a row. */
const harmless = new Set([
  "TransactionStmt",
  "CommentStmt",
  "IndexStmt",
  "ReindexStmt",
  "ViewStmt",
  "CreateTableAsStmt",
  "CreateSeqStmt",
  "AlterSeqStmt",
  "CreateEnumStmt",
  "CreateDomainStmt",
  "CompositeTypeStmt",
  "CreateRoleStmt",
  "AlterRoleStmt",
  "GrantRoleStmt",
  "CreateExtensionStmt",
  "RefreshMatViewStmt",
  "LockStmt",
  "AlterOwnerStmt",
  "CreatePolicyStmt",
  "CreateStatsStmt",
  "AlterStatsStmt",
  "DiscardStmt",
  "CheckPointStmt",
  "ConstraintsSetStmt",
  "DeallocateStmt",
  "CreateCastStmt",
  "DefineStmt",
  "VariableShowStmt",
  "AlterDefaultPrivilegesStmt",
  "CreateConversionStmt",
])
const rowStatements = new Set([
  "InsertStmt",
  "UpdateStmt",
  "DeleteStmt",
  "MergeStmt",
  "CopyStmt",
  "SelectStmt",
])

/** One verdict or more: ALTER TABLE may have several commands, DROP several tables. */
export function judgeStatement(captured: Captured, names: Names, node: Node): Verdict[] {
  const kind = Object.keys(node)[0] ?? ""
  if ("AlterTableStmt" in node) {
    const name = names.of(node.AlterTableStmt.relation)
    const table = captured.tables.get(name)
    return table ? judgeAlterTable(table, node.AlterTableStmt) : [ok(`${name} is not captured.`)]
  }
  if ("RenameStmt" in node) return [judgeRename(captured, names, node.RenameStmt)]
  if ("AlterObjectSchemaStmt" in node) return [judgeMove(captured, names, node.AlterObjectSchemaStmt)]
  if ("DropStmt" in node) return judgeDrop(captured, names, node.DropStmt)
  if ("CreateStmt" in node) return [judgeCreateTable(captured, names, node.CreateStmt)]
  if ("CreateSchemaStmt" in node) {
    return (node.CreateSchemaStmt.schemaElts ?? []).length === 0
      ? [ok("A schema is made.")]
      : [unknown("A schema is made together with its objects.")]
  }
  if ("TruncateStmt" in node) return judgeTruncate(captured, names, node.TruncateStmt)
  if ("AlterPublicationStmt" in node) return judgeAlterPublication(captured, names, node.AlterPublicationStmt)
  if ("CreatePublicationStmt" in node) return [judgeCreatePublication(captured, node.CreatePublicationStmt)]
  if ("AlterEnumStmt" in node) return [judgeEnum(node.AlterEnumStmt.oldVal)]
  if ("VariableSetStmt" in node) return [judgeSetting(names, node.VariableSetStmt)]
  if ("GrantStmt" in node) {
    return node.GrantStmt.is_grant === true
      ? [ok("A right is given.")]
      : [notice("A right is taken.", "Roles capture and base_loader must keep SELECT on captured tables.")]
  }
  if ("VacuumStmt" in node || "ClusterStmt" in node) {
    return [ok("The table may be rewritten; no value changes, and decoding passes over the copies.")]
  }
  if ("CreateFunctionStmt" in node) return [ok("A function is made; it does nothing until it is called.")]
  if ("CreateTrigStmt" in node) {
    return [notice("A trigger is made: rows that it writes in captured tables are captured like all others.")]
  }
  if (rowStatements.has(kind)) return orOk(judgeRows(captured, names, node), "No captured table is written.")
  if (harmless.has(kind)) return [ok("No row changes.")]
  return [unknown(`This kind of statement (${kind.replace(/Stmt$/, "")}) is not known to preflight.`)]
}

function judgeEnum(oldValue: string | undefined): Verdict {
  if (oldValue === undefined || oldValue === "") {
    return notice(
      "An enum gets another value: the value is read as text like the others. Filters of the API know only their own values.",
    )
  }
  return unknown(
    `Value ${oldValue} of an enum gets another name: stored rows read differently, and no change event says so.`,
  )
}

function judgeSetting(names: Names, { name, args }: VariableSetStmt): Verdict {
  if (name !== "search_path") return ok("A setting of the session is changed.")
  const [first] = args ?? []
  const schema = first && "A_Const" in first ? (first.A_Const.sval?.sval ?? "") : ""
  names.setDefaultSchema(schema === "" ? "public" : schema)
  return notice(
    `Names without a schema are read as ${schema === "" ? "public" : schema}.<name> from here on.`,
  )
}

const orOk = (verdicts: Verdict[], what: string): Verdict[] => (verdicts.length === 0 ? [ok(what)] : verdicts)
