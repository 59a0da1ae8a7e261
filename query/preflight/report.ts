// Preflight: the findings as a person reads them. A finding `ok` has one line of text; every other finding tells its
// effects on connector, registry, projector and cache.
import type { Finding, Preflight } from "./preflight.ts"

const statementWidth = 90

export function describePreflight(file: string, { statements, findings, level, isRisky }: Preflight): string {
  const count = `${statements} statement${statements === 1 ? "" : "s"}`
  if (findings.length === 0) return `${file}: ${count}, nothing to judge`
  const verdict = isRisky
    ? `look before you run it (${level})`
    : `nothing halts and nothing is lost (${level})`
  return [...findings.map(describeFinding), `${file}: ${count}; ${verdict}`].join("\n")
}

function describeFinding(finding: Finding): string {
  const { line, level, statement, what, next } = finding
  const head = `line ${line}  ${level.toUpperCase()}  ${shortened(statement)}`
  if (level === "ok") return `${head}\n  ${what}`
  const places =
    level === "unknown"
      ? []
      : (["connector", "registry", "projector", "cache"] as const).map(
          (place) => `  ${place.padEnd(9)}  ${finding[place]}`,
        )
  return [head, `  ${what}`, ...places, ...(next === null ? [] : [`  what next  ${next}`])].join("\n")
}

function shortened(statement: string): string {
  const line = statement.replaceAll(/\s+/g, " ")
  return line.length > statementWidth ? `${line.slice(0, statementWidth - 1)}…` : line
}
