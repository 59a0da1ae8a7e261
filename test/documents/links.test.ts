// Every relative link of every document leads to something: the file or folder is there, and so is the heading.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { expect, test } from "vitest"
import { projectDirectory } from "../stack/layout.ts"

const notOurs = new Set(["node_modules", "dist", "jars"])

/** Paths of the documents below a folder, without what is installed or made. */
function documentsBelow(folder: string): string[] {
  return readdirSync(join(projectDirectory, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) return path.endsWith(".md") ? [path] : []
    return entry.name.startsWith(".") || notOurs.has(entry.name) ? [] : documentsBelow(path)
  })
}

const documents = documentsBelow("")

const read = (path: string): string => readFileSync(join(projectDirectory, path), "utf8")

const withoutBlocks = (text: string): string => text.replace(/^ *(```|~~~)[\s\S]*?^ *\1/gm, "")

/** The text without what is quoted as code, in which a bracket is no link. */
const withoutCode = (text: string): string => withoutBlocks(text).replace(/`[^`\n]*`/g, "code")

/** Where the links of a document lead: `[text](target)`, images, and `[name]: target`. */
function linksOf(text: string): string[] {
  const inline = [...withoutCode(text).matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)]
  const named = [...withoutCode(text).matchAll(/^\[[^\]]+\]:\s+<?([^\s>]+)>?/gm)]
  return [...inline, ...named].map((match) => match[1] ?? "")
}

/** The anchors of a document's headings, as GitHub forms them; of equal ones the later have a number. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ""] of withoutBlocks(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "")
    const anchor = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-")
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  for (const [, id = ""] of text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) anchors.add(id)
  return anchors
}

const isRelative = (link: string): boolean => !/^[a-z][a-z+.-]*:/i.test(link) && !link.startsWith("//")

/** Why the link of a document leads to nothing; undefined if it does not. */
function faultOf(document: string, link: string): string | undefined {
  const [path = "", anchor] = link.split("#")
  const target = path === "" ? document : normalize(join(dirname(document), decodeURIComponent(path)))
  if (target.startsWith("..")) return `${link} leads out of the repository`
  if (!existsSync(join(projectDirectory, target))) return `${link}: there is no ${target}`
  if (anchor === undefined || !target.endsWith(".md")) return undefined
  return anchorsOf(read(target)).has(anchor) ? undefined : `${link}: ${target} has no heading #${anchor}`
}

test.each(documents)("every relative link in %s leads to something", (document) => {
  const links = linksOf(read(document)).filter(isRelative)
  expect(links.flatMap((link) => faultOf(document, link) ?? [])).toEqual([])
})

test("the documents are found, and so are their links", () => {
  expect(documents).toContain("README.md")
  expect(linksOf(read("README.md")).filter(isRelative).length).toBeGreaterThan(10)
})

test.each([
  ["see [a](there.md) and ![b](b.png)", ["there.md", "b.png"]],
  ['`[no](link.md)` but [a](<x.md> "title")', ["x.md"]],
  ["```\n[no](link.md)\n```\n[name]: other.md#part", ["other.md#part"]],
])("the links of %j are %j", (text, links) => {
  expect(linksOf(text)).toEqual(links)
})

test("headings become anchors as GitHub makes them", () => {
  const text =
    "# When `it` is away\n## Dead letters: why, and what\n## [Same](x.md)\n```\n# none\n```\n## Same"
  expect([...anchorsOf(text)]).toEqual(["when-it-is-away", "dead-letters-why-and-what", "same", "same-1"])
})
