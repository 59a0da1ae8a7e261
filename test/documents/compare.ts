// Whether a command printed what its document says. `…` inside a line stands for any text of that line, also none;
// a line that is only `…` stands for any lines, also none. `{"id":"order-…","status":"draft",…}` is an example.
import type { Step } from "./document.ts"

/** How many printed lines, and how much of one, a report shows. */
const mostLines = 40
const mostCharacters = 300

/** The difference in words for a person, or null if there is none. */
export function differenceOf(file: string, step: Step, printed: string): string | null {
  const lines = linesOf(printed)
  const reached = match(step.expected, lines)
  if (reached === null) return null
  const expected = step.expected[reached.expected]
  const line = step.expectedLine + reached.expected
  return [
    `${file}:${step.line}  $ ${step.command.split("\n").join("\n    ")}`,
    expected === undefined
      ? `  ${file}:${line}  expected: nothing more`
      : `  ${file}:${line}  expected: ${expected}`,
    ...(lines.length === 0 ? ["  printed: nothing"] : ["  printed:"]),
    ...lines.slice(0, mostLines).map((text, index) => {
      const shown = text.length > mostCharacters ? `${text.slice(0, mostCharacters)} (and more)` : text
      return `  ${index === reached.printed ? ">" : " "} ${shown}`
    }),
    ...(lines.length > mostLines ? [`    (and ${lines.length - mostLines} lines more)`] : []),
  ].join("\n")
}

function linesOf(printed: string): string[] {
  const lines = printed.replaceAll("\r", "").split("\n")
  return lines.slice(0, lines.findLastIndex((text) => text.trim() !== "") + 1)
}

/** Null if all lines match; else the first expected and the first printed line that nothing explains. */
function match(
  expected: readonly string[],
  printed: readonly string[],
): { expected: number; printed: number } | null {
  let furthest = { expected: 0, printed: 0 }
  const failed = new Set<string>()

  function from(wanted: number, found: number): boolean {
    if (wanted === expected.length && found === printed.length) return true
    if (failed.has(`${wanted}/${found}`)) return false
    const text = expected[wanted]
    const has = printed[found]
    if (text?.trim() === "…") {
      if (from(wanted + 1, found) || (has !== undefined && from(wanted, found + 1))) return true
    } else if (text !== undefined && has !== undefined && patternOf(text).test(has)) {
      if (from(wanted + 1, found + 1)) return true
    } else if (wanted > furthest.expected || (wanted === furthest.expected && furthest.printed === 0)) {
      furthest = { expected: wanted, printed: found }
    }
    failed.add(`${wanted}/${found}`)
    return false
  }

  return from(0, 0) ? null : furthest
}

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .trimEnd()
      .split("…")
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"))
      .join(".*")}\\s*$`,
  )
