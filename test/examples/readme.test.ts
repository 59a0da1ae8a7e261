// The example in the README is the one that is compiled and run here, to the letter.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { projectDirectory } from "../stack/layout.ts"

const read = (path: string) => readFileSync(join(projectDirectory, path), "utf8")

test.each(["test/examples/paid-by-provider.ts", "test/examples/paid-by-provider.pg.test.ts"])(
  "the README shows %s as it is",
  (path) => {
    const readme = read("README.md")
    expect(readme).toContain(`[${path}](${path})`)
    expect(readme).toContain(`\n\`\`\`ts\n${read(path)}\`\`\`\n`)
  },
)
