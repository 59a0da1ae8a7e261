// The note about a running process in run/<name>.json: who it is, and whether anybody still wants it to run. A process
// that is gone although it is wanted has crashed; one that was asked to end is not wanted before it ends.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"

const Written = z.object({ pid: z.number(), began: z.string(), wanted: z.boolean() })
type Written = z.infer<typeof Written>

/** The note with this name; written as a whole or not at all, read as undefined when there is none. */
export function createRecord(place: { readonly run: string }, name: string) {
  const path = join(place.run, `${name}.json`)
  return {
    read: (): Written | undefined => {
      try {
        return Written.parse(JSON.parse(readFileSync(path, "utf8")))
      } catch {
        return undefined
      }
    },
    write: (written: Written): void => {
      mkdirSync(place.run, { recursive: true })
      writeFileSync(`${path}.new`, JSON.stringify(written))
      renameSync(`${path}.new`, path)
    },
    remove: (): void => rmSync(path, { force: true }),
  }
}
