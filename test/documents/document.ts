// What a document tells its reader to type, and what it says is printed then. Two kinds of blocks are run; every other
// block (`text`, `ts`, `sql`, `mermaid`) is only shown:
//
//     ```console          a line after `$ ` is typed; a line that ends in `\` goes on in the next;
//     $ echo one          the lines up to the next `$ ` are printed
//     one
//     ```
//
//     ```sh               the whole block is pasted at once; a block `text printed` after it says what is printed
//     echo two
//     ```
//     ```text printed
//     two
//     ```

/** Something to type, with the lines that are to be printed. Lines of the document are counted from 1. */
export type Step = {
  line: number
  command: string
  expected: readonly string[]
  /** Line of the document in which `expected` begins. */
  expectedLine: number
}

type Block = { info: string; line: number; lines: string[] }

/** @throws Error for a block that is not closed, or `printed` without a block `sh` before it. */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = []
  let pasted: Step | undefined
  for (const block of blocksOf(markdown)) {
    if (block.info === "text printed") {
      if (!pasted) throw new Error(`line ${block.line}: nothing was pasted that could have printed this`)
      Object.assign(pasted, { expected: withoutBlankEnd(block.lines), expectedLine: block.line + 1 })
    }
    pasted = undefined
    if (block.info === "sh") {
      pasted = {
        line: block.line + 1,
        command: block.lines.join("\n"),
        expected: [],
        expectedLine: block.line,
      }
      steps.push(pasted)
    }
    if (block.info === "console") steps.push(...stepsOfConsole(block))
  }
  return steps
}

/** Lines outside of `console` blocks that begin as if they were to be typed: they would never be run. */
export function strayPrompts(markdown: string): number[] {
  const run = new Set(
    blocksOf(markdown)
      .filter(({ info }) => info === "console")
      .flatMap(({ line, lines }) => lines.map((_, index) => line + 1 + index)),
  )
  return markdown
    .split("\n")
    .flatMap((text, index) => (text.startsWith("$ ") && !run.has(index + 1) ? [index + 1] : []))
}

function stepsOfConsole({ line, lines }: Block): Step[] {
  const steps: Step[] = []
  let command: string[] | undefined
  let expected: string[] = []
  const first = line + 1
  lines.forEach((text, index) => {
    if (command) command.push(text)
    else if (text.startsWith("$ ")) {
      command = [text.slice(2)]
      expected = []
    } else expected.push(text)
    if (!command || text.endsWith("\\")) return
    const step = {
      line: first + index - command.length + 1,
      command: command.join("\n"),
      expected,
      expectedLine: first + index + 1,
    }
    steps.push(step)
    command = undefined
  })
  return steps.map((step) => ({ ...step, expected: withoutBlankEnd(step.expected) }))
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  let open: Block | undefined
  markdown.split("\n").forEach((text, index) => {
    if (!text.startsWith("```")) open?.lines.push(text)
    else if (open) {
      blocks.push(open)
      open = undefined
    } else open = { info: text.slice(3).trim(), line: index + 1, lines: [] }
  })
  if (open) throw new Error(`line ${open.line}: the block is not closed`)
  return blocks
}

function withoutBlankEnd(lines: readonly string[]): string[] {
  const last = lines.findLastIndex((text) => text.trim() !== "")
  return lines.slice(0, last + 1)
}
