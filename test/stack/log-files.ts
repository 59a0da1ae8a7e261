// The log files of a native stack, one per part: their last lines, and what is added to them meanwhile.
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import { StringDecoder } from "node:string_decoder"
import { setTimeout as pause } from "node:timers/promises"

type Wanted = {
  directory: string
  /** All parts when undefined. */
  part: string | undefined
  /** How many of each part's last lines come first. */
  lines: number
  follow: boolean
  print: (line: string) => void
  /** Ends the following. */
  signal?: AbortSignal
}

const pollMs = 250
// A log may be large; its last lines are looked for in so many bytes.
const mostBytes = 4 * 1024 * 1024

/** Prints lines, each after the name of its part when there are several parts; answers the exit code. */
export async function printLogs({ directory, part, lines, follow, print, signal }: Wanted): Promise<number> {
  const parts = namesIn(directory)
  if (parts.length === 0) {
    console.error(`No stack has logged anything in ${directory}: start one with npx lockstep stack up.`)
    return 1
  }
  const shown = part === undefined ? parts : parts.filter((name) => name === part)
  if (shown.length === 0) {
    console.error(`No part is called ${part}. There are ${parts.join(", ")}.`)
    return 2
  }
  const width = Math.max(...shown.map((name) => name.length))
  const tails = shown.map((name) => {
    const prefix = part === undefined ? `${name.padEnd(width)} | ` : ""
    return tailOf(join(directory, `${name}.log`), lines, (line) => print(`${prefix}${line}`))
  })
  for (const printNew of tails) printNew()
  while (follow && signal?.aborted !== true) {
    await pause(pollMs)
    for (const printNew of tails) printNew()
  }
  return 0
}

function namesIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  const logs = readdirSync(directory).filter((name) => name.endsWith(".log"))
  return logs.map((name) => basename(name, ".log")).toSorted()
}

/** Each call prints the lines that are complete since the call before; the first call the last `lines` of the file. */
export function tailOf(path: string, lines: number, print: (line: string) => void): () => void {
  let read = Math.max(0, statSync(path).size - mostBytes)
  let decoder = new StringDecoder("utf8")
  let rest = ""
  let most = lines
  return () => {
    const { size } = statSync(path)
    // A part that starts again may begin its file anew.
    if (size < read) {
      read = 0
      decoder = new StringDecoder("utf8")
      rest = ""
    }
    const complete = (rest + decoder.write(bytesOf(path, read, size))).split("\n")
    read = size
    rest = complete.pop() ?? ""
    for (const line of complete.slice(-most)) print(line)
    most = Number.POSITIVE_INFINITY
  }
}

function bytesOf(path: string, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from)
  const file = openSync(path, "r")
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from))
  } finally {
    closeSync(file)
  }
}
