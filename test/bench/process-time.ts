// Processor time of processes on this machine, from /proc. Where there is no /proc, or the process runs somewhere
// else (a container, another host), there is none, and whoever asks prints nothing instead of a guess.
import { readFileSync } from "node:fs"

/** The kernel counts in hundredths of a second on every Linux that people run (`getconf CLK_TCK`). */
const microsecondsPerTick = 10_000

/** User and system time of a process so far, in microseconds. */
export const processorTime = (pid: number): number | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The second field is the name in parentheses and may hold anything; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick
  } catch {
    return undefined
  }
}
