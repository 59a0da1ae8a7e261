// Half of a Java part's start is reading classes out of jars. The JVM can keep them in an archive (class data sharing,
// JEP 350): the first run of a part writes one as it ends, and every later run maps it into its memory. So the first stop
// takes about two seconds longer, and later starts take half as long.
import { createHash } from "node:crypto"
import { closeSync, existsSync, openSync, readSync, realpathSync, rmSync, statSync } from "node:fs"
import { delimiter, join } from "node:path"
import type { Layout } from "../layout.ts"
import { inheritedEnvironment } from "../settings.ts"

/** Flags of the JVM for the part with this name: use the archive if it is there, else write it at the end. */
export function archiveFlags({ jars }: Pick<Layout, "jars">, name: string): string[] {
  const path = join(jars, `${name}-${keyOf(jars)}.jsa`)
  return [`-XX:${isWhole(path) ? "SharedArchiveFile" : "ArchiveClassesAtExit"}=${path}`]
}

/** Removes the archives of jars that are about to be replaced. */
export function removeArchives(jars: string): void {
  for (const name of archived) rmSync(join(jars, `${name}-${keyOf(jars)}.jsa`), { force: true })
}

const archived = ["kafka", "connect", "registry"]

// An archive holds for one JVM and for jars under one path.
function keyOf(jars: string): string {
  const directories = (inheritedEnvironment().PATH ?? "").split(delimiter)
  const found = directories.map((directory) => join(directory, "java")).find((path) => existsSync(path))
  const java = found === undefined ? "" : realpathSync(found)
  const version = found === undefined ? 0 : statSync(java).mtimeMs
  return createHash("sha256").update(`${jars} ${java} ${version}`).digest("hex").slice(0, 12)
}

// The JVM writes the header last: the archive of a run that was killed meanwhile begins with zeros.
function isWhole(path: string): boolean {
  if (!existsSync(path)) return false
  const header = Buffer.alloc(4)
  const file = openSync(path, "r")
  try {
    return readSync(file, header, 0, 4, 0) === 4 && header.readUInt32LE() !== 0
  } finally {
    closeSync(file)
  }
}
