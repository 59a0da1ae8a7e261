// The example in query/orders/README.md is the one that is compiled and run here, to the letter.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { projectDirectory } from "../stack/layout.ts"

const read = (path: string) => readFileSync(join(projectDirectory, path), "utf8")

test.each(["test/examples/paid-by-provider.ts", "test/examples/paid-by-provider.pg.test.ts"])(
  "the document shows %s as it is",
  (path) => {
    const text = read("query/orders/README.md")
    expect(text).toContain(`[${path}](../../${path})`)
    expect(text).toContain(`\n\`\`\`ts\n${read(path)}\`\`\`\n`)
  },
)
