// Documents can be read in an editor and in a diff, and nothing in them looks as if it were tried when it is not.
import { expect, test } from "vitest"
import { strayPrompts } from "./document.ts"
import { readDocuments } from "./documents.ts"

const mostCharacters = 140
const documents = readDocuments()

test("README has some 250 lines", () => {
  const readme = documents.find(({ file }) => file === "README.md")?.text ?? ""
  expect(readme.split("\n").length).toBeGreaterThan(150)
  expect(readme.split("\n").length).toBeLessThan(270)
})

test.each(documents)("no line of $file is longer than 140 characters", ({ file, text }) => {
  const long = text
    .split("\n")
    .flatMap((line, index) =>
      line.length > mostCharacters ? [`${file}:${index + 1} has ${line.length} characters`] : [],
    )
  expect(long).toEqual([])
})

test.each(documents)("every prompt of $file stands in a block that is run", ({ text }) => {
  expect(strayPrompts(text)).toEqual([])
})
