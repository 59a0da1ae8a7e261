// How a document is read: what is to be typed, and what is to be printed.
import { expect, test } from "vitest"
import { stepsOf, strayPrompts } from "./document.ts"

const document = (...lines: string[]) => lines.join("\n")

test("a prompt begins a command, and the lines up to the next prompt are printed", () => {
  const text = document("```console", "$ echo one", "one", "", "$ true", "$ echo two; echo", "two", "", "```")
  expect(stepsOf(text)).toEqual([
    { line: 2, command: "echo one", expected: ["one"], expectedLine: 3 },
    { line: 5, command: "true", expected: [], expectedLine: 6 },
    { line: 6, command: "echo two; echo", expected: ["two"], expectedLine: 7 },
  ])
})

test("a command goes on after a backslash", () => {
  const text = document("text", "```console", "$ curl -i \\", "    -d one", "HTTP/1.1 200 OK", "```")
  expect(stepsOf(text)).toEqual([
    { line: 3, command: "curl -i \\\n    -d one", expected: ["HTTP/1.1 200 OK"], expectedLine: 5 },
  ])
})

test("a block that is pasted is one command, and the block `text printed` after it is printed", () => {
  const text = document("```sh", "A=1", 'echo "$A"', "```", "It prints:", "```text printed", "1", "```")
  expect(stepsOf(text)).toEqual([{ line: 2, command: 'A=1\necho "$A"', expected: ["1"], expectedLine: 7 }])
})

test("other blocks are not run", () => {
  const text = document("```text", "npm start", "```", "```ts", "start()", "```", "    $ indented")
  expect(stepsOf(text)).toEqual([])
})

test("a prompt in a block that is not run is told", () => {
  const text = document("```text", "$ npm start", "```", "$ outside", "```console", "$ inside", "```")
  expect(strayPrompts(text)).toEqual([2, 4])
})

test("a block that is not closed, and a print of nothing, are refused", () => {
  expect(() => stepsOf("```console\n$ ls")).toThrow("line 1: the block is not closed")
  expect(() => stepsOf("```text printed\n1\n```")).toThrow("line 1: nothing was pasted")
})
