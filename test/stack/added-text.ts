// What programs add to a log while somebody looks.
import { closeSync, fstatSync, openSync, readSync } from "node:fs"

/** The text that is added to an existing file: each call gives what came since the call before, the first since now. */
export function createAddedText(
  path: string,
  from: "start" | "end",
): { next: () => string; close: () => void } {
  const file = openSync(path, "r")
  let read = from === "start" ? 0 : fstatSync(file).size
  return {
    next: () => {
      const buffer = Buffer.alloc(Math.max(0, fstatSync(file).size - read))
      const count = readSync(file, buffer, 0, buffer.length, read)
      read += count
      return buffer.toString("utf8", 0, count)
    },
    close: () => closeSync(file),
  }
}
