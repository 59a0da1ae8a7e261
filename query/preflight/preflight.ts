// Preflight: tells the effects of a planned migration from the file, the connector's settings and the projections alone.
// test/scenarios/drift.cdc.test.ts shows the same rules on the real connector.
import type { Captured } from "./captured.ts"
import { judgeStatement } from "./judge.ts"
import { createNames } from "./names.ts"
import { parseMigration } from "./sql.ts"
import { type Level, ok, unknown, type Verdict } from "./verdict.ts"

export type Finding = Verdict & { line: number; statement: string }

export type Preflight = {
  statements: number
  findings: Finding[]
  /** The worst level of the findings. */
  level: Level
  /** A statement halts, loses or is unknown: a person must look before the migration runs. */
  isRisky: boolean
}

/** Commands of psql that change how it speaks and nothing else. */
const speaking = /^\\(set|unset|echo|qecho|warn|timing|pset|x|encoding)\b/

const judgePsql = (command: string): Verdict =>
  speaking.test(command) ? ok("A command for psql.") : unknown("A command for psql, not SQL.")

const levels: readonly Level[] = ["ok", "notice", "unknown", "halts", "loses"]

/** @throws MigrationSyntaxError when the file is not SQL. */
export async function preflight(sql: string, captured: Captured): Promise<Preflight> {
  const { statements, psqlCommands } = await parseMigration(sql)
  const names = createNames()
  const findings: Finding[] = statements.flatMap(({ line, text, node }) =>
    judgeStatement(captured, names, node).map((verdict) => ({ line, statement: text, ...verdict })),
  )
  for (const { line, text } of psqlCommands) findings.push({ line, statement: text, ...judgePsql(text) })
  findings.sort((a, b) => a.line - b.line)
  const level = levels[Math.max(0, ...findings.map((finding) => levels.indexOf(finding.level)))] ?? "ok"
  return {
    statements: statements.length,
    findings,
    level,
    isRisky: levels.indexOf(level) >= levels.indexOf("unknown"),
  }
}
