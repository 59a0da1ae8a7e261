// A folder with the files that an image's last stage has, made by playing its Dockerfile: what is copied from the build
// is copied here from a build of this checkout, without the packages that only development needs.
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { z } from "zod"
import { projectDirectory } from "../stack/layout.ts"

const manifest = z.looseObject({ bin: z.unknown() })
const lock = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().optional() })) })

/** @param dist the compiled sources. Answers the image's environment, with paths of the folder. */
export function makeImageFolder(root: string, dockerfile: string, dist: string): Record<string, string> {
  const text = readFileSync(join(projectDirectory, dockerfile), "utf8")
  const stage = text.slice(text.lastIndexOf("\nFROM "))
  const environment: Record<string, string> = {}
  for (const line of stage.split("\n")) {
    const [, from = "", to = ""] = /^COPY --from=build \/build\/(\S+) \.\/(\S*)$/.exec(line) ?? []
    if (from !== "") copy(from, join(root, "app", to === "" ? from : to), dist)
    if (from === "package.json" && text.includes("npm pkg delete bin")) removeBin(join(root, "app", from))
    const [, target, link] = /^RUN ln -s (\S+) (\S+)$/.exec(line) ?? []
    if (target !== undefined && link !== undefined) {
      mkdirSync(join(root, dirname(link)), { recursive: true })
      symlinkSync(join(root, target), join(root, link))
    } else if (line.startsWith("RUN ")) throw new Error(`${dockerfile} runs what is not played here: ${line}`)
    for (const [, name = "", value = ""] of line.startsWith("ENV ") ? line.matchAll(/(\w+)=(\S+)/g) : []) {
      environment[name] = value.startsWith("/") ? join(root, value) : value
    }
  }
  return environment
}

function removeBin(path: string): void {
  const { bin: _, ...rest } = manifest.parse(JSON.parse(readFileSync(path, "utf8")))
  writeFileSync(path, JSON.stringify(rest))
}

function copy(from: string, to: string, dist: string): void {
  if (from === "node_modules") linkPackages(to)
  else {
    const source = from.startsWith("dist/")
      ? join(dist, from.slice("dist/".length))
      : join(projectDirectory, from)
    cpSync(source, to, { recursive: true })
  }
}

/** Links to the packages that `npm prune --omit=dev` leaves; a copy of them would take a minute. */
function linkPackages(to: string): void {
  const { packages } = lock.parse(
    JSON.parse(readFileSync(join(projectDirectory, "package-lock.json"), "utf8")),
  )
  for (const [path, { dev = false }] of Object.entries(packages)) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? []
    if (name === undefined || dev || !existsSync(join(projectDirectory, path))) continue
    mkdirSync(dirname(join(to, name)), { recursive: true })
    symlinkSync(join(projectDirectory, path), join(to, name))
  }
}
