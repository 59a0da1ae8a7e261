// The project's programs as JavaScript. A program that is started from its TypeScript takes a second more for each start,
// and the tests start hundreds of them; so `npm test` compiles once, as the images do, and says in the endpoints where.
import { execFile } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { z } from "zod"
import { findEndpoints } from "./endpoints.ts"
import { projectDirectory } from "./layout.ts"

/** Compiles all programs into the directory, without a look at types: the check does that. */
export async function compilePrograms(directory: string, signal: AbortSignal): Promise<void> {
  const compiler = join(projectDirectory, "node_modules/.bin/tsc")
  const args = ["-p", join(projectDirectory, "tsconfig.build.json"), "--outDir", directory]
  await promisify(execFile)(compiler, args, { signal })
}

/** Arguments of node that run a program (`query/main`): compiled by this run of tests, else from its source. */
export function argumentsOf(program: string): string[] {
  const endpoints = findEndpoints()
  const compiled =
    endpoints && existsSync(endpoints) ? Compiled.parse(readJson(endpoints)).compiled : undefined
  return compiled === undefined
    ? ["--import", "tsx", join(projectDirectory, `${program}.ts`)]
    : ["--enable-source-maps", join(compiled, `${program}.js`)]
}

const Compiled = z.object({ compiled: z.string().optional() })

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"))
