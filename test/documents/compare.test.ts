// What counts as printed, and how a difference is told.
import { expect, test } from "vitest"
import { differenceOf } from "./compare.ts"

const told = (expected: string[], printed: string) =>
  differenceOf("README.md", { line: 10, command: "curl -i x", expected, expectedLine: 11 }, printed)

test.each([
  { name: "the same lines", expected: ["one", "", "two"], printed: "one\n\ntwo\n\n" },
  { name: "nothing", expected: [], printed: "\n" },
  {
    name: "lines that end as HTTP has them",
    expected: ["HTTP/1.1 200 OK", "a: b"],
    printed: "HTTP/1.1 200 OK\r\na: b\r\n",
  },
  {
    name: "`…` for the rest of a line",
    expected: ['{"id":"order-…'],
    printed: '{"id":"order-1","version":1}',
  },
  {
    name: "`…` for a part of a line",
    expected: ['{"id":"…","version":1,…}'],
    printed: '{"id":"a","version":1,"b":2}',
  },
  { name: "`…` for no lines", expected: ["one", "…", "two"], printed: "one\ntwo" },
  { name: "`…` for any lines", expected: ["…", "two", "…"], printed: "one\ntwo\none\ntwo\nthree" },
  {
    name: "signs that mean something in a pattern",
    expected: ["1 (of 2) [a] $x.*"],
    printed: "1 (of 2) [a] $x.*",
  },
])("$name is as expected", ({ expected, printed }) => {
  expect(told(expected, printed)).toBeNull()
})

test("a line that differs is told with its place in the document and everything that was printed", () => {
  expect(told(["HTTP/1.1 200 OK", "…", 'etag: "1"'], 'HTTP/1.1 200 OK\ndate: today\netag: "2"')).toBe(
    [
      "README.md:10  $ curl -i x",
      '  README.md:13  expected: etag: "1"',
      "  printed:",
      "    HTTP/1.1 200 OK",
      "  > date: today",
      '    etag: "2"',
    ].join("\n"),
  )
})

test("a line too many, one too few, and nothing at all are told", () => {
  expect(told(["one"], "one\ntwo")).toContain(
    "README.md:12  expected: nothing more\n  printed:\n    one\n  > two",
  )
  expect(told(["one", "two"], "one")).toContain("README.md:12  expected: two\n  printed:\n    one")
  expect(told(["one"], "")).toContain("README.md:11  expected: one\n  printed: nothing")
})

test("a dot is no wildcard", () => {
  expect(told(["1.1"], "1x1")).toContain("expected: 1.1")
})
