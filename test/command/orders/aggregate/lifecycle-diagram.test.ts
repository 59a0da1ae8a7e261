// The diagram of an order's life in command/README.md is made from the table that the decider asks.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { transitions } from "../../../../command/orders/aggregate/transitions.ts"
import { projectDirectory } from "../../../stack/layout.ts"

/** Mermaid's state diagram: one arrow per pair of statuses, labelled with the commands that take it. */
function diagram(): string {
  const arrows = new Map<string, string[]>()
  for (const [from, commands] of Object.entries(transitions)) {
    for (const [command, leads] of Object.entries(commands)) {
      for (const to of leads) {
        const arrow = `${from} --> ${to}`
        arrows.set(arrow, [...(arrows.get(arrow) ?? []), command])
      }
    }
  }
  const lines = [...arrows].map(([arrow, commands]) => `  ${arrow}: ${commands.join(", ")}`)
  return ["stateDiagram-v2", "  [*] --> draft: CreateOrder", ...lines].join("\n")
}

test("command/README.md shows the transitions as they are", () => {
  const readme = readFileSync(join(projectDirectory, "command/README.md"), "utf8")
  expect(readme).toContain(`\n\`\`\`mermaid\n${diagram()}\n\`\`\`\n`)
})
