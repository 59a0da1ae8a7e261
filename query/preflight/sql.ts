// Preflight, first step: a migration file as statements, by Postgres' own parser. Text that is no SQL is never passed
// over in silence: psql's commands are set aside by line, any other text that cannot be parsed is refused with its line.
// https://github.com/constructive-io/libpg-query-node (the parser of Postgres 18 as WebAssembly)
import { hasSqlDetails, type Node, parse } from "libpg-query"

export type Statement = { line: number; text: string; node: Node }
/** A line for psql, such as `\i other.sql`: this file does not show the line's effect. */
export type PsqlCommand = { line: number; text: string }
export type Migration = { statements: Statement[]; psqlCommands: PsqlCommand[] }

/** The file is not SQL from some line on. */
export class MigrationSyntaxError extends Error {
  override name = "MigrationSyntaxError"
  readonly line: number

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`)
    this.line = line
  }
}

/** @throws MigrationSyntaxError */
export async function parseMigration(text: string): Promise<Migration> {
  const psqlCommands: PsqlCommand[] = []
  let sql = text.replace(/^\uFEFF/, "")
  for (;;) {
    if (sql.trim() === "") return { statements: [], psqlCommands }
    try {
      const { stmts = [] } = await parse(sql)
      const bytes = Buffer.from(sql)
      const statements = stmts.flatMap(({ stmt, stmt_location = 0, stmt_len }) => {
        if (!stmt) return []
        const end = stmt_len === undefined ? bytes.length : stmt_location + stmt_len
        return [{ node: stmt, ...locate(bytes, stmt_location, end) }]
      })
      return { statements, psqlCommands }
    } catch (error) {
      const fault = readFault(sql, error)
      const command = psqlCommandAt(sql, fault.at)
      if (!command) throw new MigrationSyntaxError(lineOf(sql, fault.at), fault.reason)
      psqlCommands.push({ line: lineOf(sql, fault.at), text: command })
      sql = sql.slice(0, fault.at) + " ".repeat(command.length) + sql.slice(fault.at + command.length)
    }
  }
}

/** A statement's location includes the blanks and comments before it. */
function locate(bytes: Buffer, start: number, end: number): { line: number; text: string } {
  const raw = bytes.subarray(start, end).toString()
  const before = /^(\s|--[^\n]*(\n|$)|\/\*[\s\S]*?\*\/)*/.exec(raw)?.[0] ?? ""
  const line = lineOf(bytes.subarray(0, start).toString() + before, Number.POSITIVE_INFINITY)
  return { line, text: raw.slice(before.length).trim() }
}

const lineOf = (text: string, at: number): number => text.slice(0, at).split("\n").length

/** The parser counts code points, JavaScript strings count UTF-16 units. */
function readFault(sql: string, error: unknown): { at: number; reason: string } {
  if (!hasSqlDetails(error) || !error.sqlDetails) {
    return { at: 0, reason: error instanceof Error ? error.message : String(error) }
  }
  const { cursorPosition, message } = error.sqlDetails
  return { at: Array.from(sql).slice(0, cursorPosition).join("").length, reason: message }
}

function psqlCommandAt(sql: string, at: number): string | null {
  const isAtLineStart = /(^|\n)[ \t]*$/.test(sql.slice(0, at))
  return (isAtLineStart && /^\\[a-zA-Z!?][^\n]*/.exec(sql.slice(at))?.[0]) || null
}
