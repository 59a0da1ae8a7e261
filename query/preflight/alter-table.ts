// Preflight: ALTER TABLE, command by command, on a captured table; and what it does to the others.
import type { AlterTableCmd, AlterTableStmt, Constraint, Node } from "libpg-query"
import {
  judgeAddColumn,
  judgeColumnOption,
  judgeDefault,
  judgeDropColumn,
  judgeNotNull,
  judgeRetype,
} from "./alter-column.ts"
import type { CapturedTable } from "./captured.ts"
import { textOf } from "./column-type.ts"
import { halts, loses, notice, ok, otherForm, unknown, type Verdict } from "./verdict.ts"

export function judgeAlterTable(table: CapturedTable, statement: AlterTableStmt): Verdict[] {
  const commands = (statement.cmds ?? []).flatMap((node) =>
    "AlterTableCmd" in node ? [node.AlterTableCmd] : [],
  )
  const newKey = commands.map(addedPrimaryKey).find((key) => key !== null) ?? null
  return commands.map((command) => judgeCommand(table, command, newKey))
}

type Judge = (table: CapturedTable, command: AlterTableCmd, newKey: string[] | null) => Verdict

const unchanged: Judge = (table) => ok(`${table.name}: no value changes.`)

const filteredForLoads: Judge = (table) =>
  loses(
    `${table.name} gets row security: the stream has every row, a base load only those that its role may see.`,
    "Let the base loader's role bypass row security, before the next rebuild.",
  )

const judges: Readonly<Record<string, Judge>> = {
  AT_AddColumn: (table, { def }) =>
    def && "ColumnDef" in def
      ? judgeAddColumn(table, def.ColumnDef)
      : unknown(`${table.name} gets a column.`),
  AT_DropColumn: (table, { name }) => judgeDropColumn(table, name ?? ""),
  AT_AlterColumnType: judgeRetype,
  AT_ColumnDefault: judgeDefault,
  AT_SetNotNull: (table, command) => judgeNotNull(table, command, true),
  AT_DropNotNull: (table, command) => judgeNotNull(table, command, false),
  AT_SetStorage: judgeColumnOption,
  AT_SetCompression: judgeColumnOption,
  AT_SetStatistics: judgeColumnOption,
  AT_AddConstraint: (table, command) => judgeKey(table, addedPrimaryKey(command)),
  AT_DropConstraint: (table, { name }, newKey) => judgeDropConstraint(table, name ?? "", newKey),
  AT_ReplicaIdentity: (table, { def }) => judgeReplicaIdentity(table, def),
  AT_EnableRowSecurity: filteredForLoads,
  AT_ForceRowSecurity: filteredForLoads,
  AT_SetUnLogged: (table) =>
    loses(
      `${table.name} writes no WAL any more. (Postgres refuses it while the table is published.)`,
      "Leave the table logged.",
    ),
  AT_ChangeOwner: unchanged,
  AT_ValidateConstraint: unchanged,
  AT_AlterConstraint: unchanged,
  AT_EnableTrig: unchanged,
  AT_DisableTrig: unchanged,
  AT_EnableTrigUser: unchanged,
  AT_DisableTrigUser: unchanged,
  AT_SetRelOptions: unchanged,
  AT_ResetRelOptions: unchanged,
  AT_SetTableSpace: unchanged,
  AT_SetAccessMethod: unchanged,
  AT_ClusterOn: unchanged,
  AT_DropCluster: unchanged,
  AT_SetLogged: unchanged,
  AT_DisableRowSecurity: unchanged,
  AT_NoForceRowSecurity: unchanged,
}

function judgeCommand(table: CapturedTable, command: AlterTableCmd, newKey: string[] | null): Verdict {
  const judge = judges[command.subtype ?? ""]
  return (
    judge?.(table, command, newKey) ??
    unknown(`${table.name}: ALTER TABLE with ${command.subtype ?? "an unknown command"}.`)
  )
}

/** The columns of a primary key that a command adds, empty when it takes them from an index; null for other commands. */
function addedPrimaryKey(command: AlterTableCmd): string[] | null {
  if (command.subtype !== "AT_AddConstraint" || !command.def || !("Constraint" in command.def)) return null
  const constraint: Constraint = command.def.Constraint
  if (constraint.contype !== "CONSTR_PRIMARY") return null
  return (constraint.keys ?? []).map((key) => textOf(key) ?? "")
}

function judgeKey(table: CapturedTable, key: string[] | null): Verdict {
  if (key === null)
    return ok(`${table.name}: a constraint is checked where rows are written, not where they are read.`)
  if (table.key.length === 0)
    return otherForm("notice", `The key of ${table.name} changes; its rows are not read.`)
  if (key.length === 0) {
    return halts(
      `The primary key of ${table.name} is taken from an index: unless its columns are ${table.key.join(", ")}, records do not name rows as the projection does.`,
      "Make sure that the index has those columns.",
    )
  }
  if (isSameSet(key, table.key))
    return otherForm("notice", `The primary key of ${table.name} stays (${table.key.join(", ")}).`)
  return halts(
    `The primary key of ${table.name} becomes (${key.join(", ")}), and the projection's is (${table.key.join(", ")}).`,
    "Deploy projections with the new key right after it; their version loads a fresh generation.",
  )
}

function judgeDropConstraint(table: CapturedTable, name: string, newKey: string[] | null): Verdict {
  const isKey = name === `${table.name.slice(table.name.indexOf(".") + 1)}_pkey`
  if (!isKey)
    return notice(`${table.name}: constraint ${name} goes.`, "Make sure that it is not the primary key.")
  if (newKey)
    return otherForm("notice", `The primary key of ${table.name} is replaced in the same statement.`)
  return halts(
    `${table.name} has no primary key any more: records have no key, and Postgres refuses UPDATE and DELETE.`,
    "Replace the key in one statement: drop constraint .., add primary key (..).",
  )
}

function judgeReplicaIdentity(table: CapturedTable, definition: Node | undefined): Verdict {
  const identity =
    definition && "ReplicaIdentityStmt" in definition
      ? definition.ReplicaIdentityStmt.identity_type
      : undefined
  if (identity === "d") return ok(`${table.name} is identified by its primary key.`)
  if (identity === "f") {
    return notice(`${table.name} writes whole old rows to the WAL: larger, and nothing reads them.`)
  }
  if (identity === "n") {
    return halts(
      `${table.name} has no replica identity: Postgres refuses its UPDATEs and DELETEs.`,
      "Leave the replica identity as it is.",
    )
  }
  return loses(
    `${table.name} is identified by another index: a changed primary key leaves its old row behind, and a delete does not name its row (where its key is empty, the projector halts).`,
    "Leave the replica identity as it is; if it was changed, set it to default and rebuild: npx lockstep projection rebuild.",
  )
}

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name))
