// `npx lockstep stack status`: what runs, where, and whether it answers. Exit code 0 when all parts are healthy, else 1.
import { existsSync } from "node:fs"
import { runCompose } from "../compose/compose-project.ts"
import { isOfContainers, readEndpointsFile } from "../endpoints.ts"
import { isPrepared, readLayout } from "../layout.ts"
import { createNativeInfrastructure } from "../native/native.ts"
import type { Part } from "../native/process.ts"
import { endpointsFile, ownerOf } from "../ownership.ts"
import { createServices } from "../services.ts"
import type { Settings } from "../settings.ts"
import { stackDirectory } from "./start.ts"

type Row = {
  readonly part: string
  readonly pid: number | null
  readonly port: number
  readonly health: "healthy" | "unhealthy" | "stopped"
}

/** Prints a table of the parts, or with --json an object for programs. */
export async function status(settings: Settings, args: readonly string[]): Promise<number> {
  if (isOfContainers(stackDirectory)) {
    await runCompose(readLayout(stackDirectory), settings, [
      "ps",
      "--all",
      ...(args.includes("--json") ? ["--format", "json"] : []),
    ])
    return 0
  }
  const rows = isPrepared(stackDirectory) ? await readRows(settings) : []
  const owner = ownerOf(stackDirectory)
  const ready = existsSync(endpointsFile(stackDirectory))
  if (args.includes("--json")) {
    console.log(
      JSON.stringify({ directory: stackDirectory, owner: owner?.pid ?? null, ready, parts: rows }, null, 2),
    )
  } else {
    const state = ready ? "running" : "starting"
    console.log(
      owner === undefined ? `No stack runs in ${stackDirectory}.` : `Owner: process ${owner.pid}, ${state}`,
    )
    if (rows.length > 0) console.log(`${"part".padEnd(18)}${"pid".padStart(8)}${"port".padStart(8)}  health`)
    for (const { part, pid, port, health } of rows) {
      console.log(`${part.padEnd(18)}${String(pid ?? "-").padStart(8)}${String(port).padStart(8)}  ${health}`)
    }
  }
  return rows.length > 0 && rows.every((row) => row.health === "healthy") ? 0 : 1
}

function readRows(settings: Settings): Promise<Row[]> {
  const layout = readLayout(stackDirectory)
  const native = createNativeInfrastructure(layout)
  const infrastructure = (
    ["commandDatabase", "queryDatabase", "kafka", "registry", "connect", "redis"] as const
  ).map((key) => rowOf(native.parts[key], layout.ports[key]))
  const started = startedWith(settings)
  const services = createServices(layout, native, started.settings)
    .parts.filter((part) => started.names === undefined || started.names.includes(part.name))
    .map((part) =>
      rowOf(part, part.name === "command" ? started.settings.COMMAND_PORT : started.settings.QUERY_PORT),
    )
  return Promise.all([...infrastructure, ...services])
}

// A running stack says itself which services it has and on which ports, whatever the environment says by now.
function startedWith(settings: Settings): { settings: Settings; names?: readonly string[] } {
  const file = endpointsFile(stackDirectory)
  if (!existsSync(file)) return { settings }
  const { commandUrl, queryUrl, pids } = readEndpointsFile(file)
  const portOf = (url: string): number => Number(new URL(url).port)
  return {
    settings: { ...settings, COMMAND_PORT: portOf(commandUrl), QUERY_PORT: portOf(queryUrl) },
    names: Object.keys(pids),
  }
}

async function rowOf(part: Part, port: number): Promise<Row> {
  const pid = part.identity()?.pid ?? null
  const health = pid === null ? "stopped" : (await part.healthy()) ? "healthy" : "unhealthy"
  return { part: part.name, pid, port, health }
}
