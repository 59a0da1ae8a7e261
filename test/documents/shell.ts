// Types commands into one bash, in order, as a reader does: variables that one command sets are there for the next.
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

/**
 * Resolves to what each command printed, errors included, whatever their exit codes. curl shows no progress here, as
 * it shows none on a terminal.
 * @throws Error with the output so far if bash has not ended in time.
 */
export async function typeInto(
  commands: readonly string[],
  options: { directory: string; environment: NodeJS.ProcessEnv; limitMs: number },
): Promise<string[]> {
  const home = mkdtempSync(join(tmpdir(), "documents-"))
  const end = `end of a command ${randomUUID()}`
  const script = join(home, "script")
  const evaluated = commands.map(
    (command) => `eval ${quoted(command)} </dev/null\nprintf '\\n%s\\n' ${quoted(end)}`,
  )
  writeFileSync(script, ["exec 2>&1", ...evaluated].join("\n"))
  writeFileSync(join(home, ".curlrc"), "silent\n")
  try {
    const { stdout } = await promisify(execFile)("bash", ["--noprofile", "--norc", script], {
      cwd: options.directory,
      env: { ...options.environment, CURL_HOME: home },
      timeout: options.limitMs,
      killSignal: "SIGKILL",
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: unknown) => {
      const printed = error instanceof Error && "stdout" in error ? String(error.stdout) : ""
      if (error instanceof Error && "killed" in error && error.killed === false) return { stdout: printed }
      throw new Error(`The commands did not end in ${options.limitMs} ms. They printed:\n${printed}`)
    })
    const printed = stdout.split(`\n${end}\n`)
    return commands.map((_, index) => printed[index] ?? "")
  } finally {
    rmSync(home, { recursive: true })
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
