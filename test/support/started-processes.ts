// The processes that the tests of a file have started and that have not ended yet. Every project of vitest.config.ts
// runs left-running.ts with each file: a process that is left when the tests are over fails the file.
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"

const running = new Map<ChildProcess, string>()

export function noteStarted(child: ChildProcess, name: string): void {
  running.set(child, name)
  child.once("exit", () => running.delete(child))
}

/** Kills what still runs. @returns the names. */
export async function killLeft(): Promise<string[]> {
  const left = [...running]
  for (const [child] of left) {
    const ended = once(child, "exit")
    child.kill("SIGKILL")
    await ended
  }
  return left.map(([, name]) => name)
}
