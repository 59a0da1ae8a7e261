// Where no stack runs, `npx vitest run --project pg <file>` needs two Postgres clusters and nothing else, so the run
// starts its own pair and stops it at its end. The pair is kept in .stack-pg between runs: the second start takes about a
// second. A run that finds it in use, because another one watches files, makes a pair for itself and removes it again.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import { findEndpoints, writeDatabases } from "./endpoints.ts"
import { installCacheServer } from "./install.ts"
import { type Layout, prepareLayout, projectDirectory } from "./layout.ts"
import { createClusters } from "./native/clusters.ts"
import { signal } from "./native/identity.ts"
import { farDirectory } from "./native/postgres-home.ts"
import type { Part } from "./native/process.ts"
import { endpointsFile, ownerOf, takeOwnership } from "./ownership.ts"
import { createProgress } from "./progress.ts"
import { localUrls } from "./stack.ts"

const kept = join(projectDirectory, ".stack-pg")

/** Vitest calls it once before the files of a project, and the function that it returns once after them. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  if (findEndpoints() !== undefined) return async () => {}
  const progress = createProgress(console.log)
  if (project.name === "redis") await installCacheServer(progress, new AbortController().signal)
  const isKept = ownerOf(kept) === undefined
  const directory = isKept ? kept : mkdtempSync(join(tmpdir(), "lockstep-pg-"))
  const release = await takeOwnership(directory)
  const layout = await prepareLayout(directory, [])
  const clusters = Object.values(createClusters(layout, false))
  const stopListening = stopAtSudden(clusters)
  const stop = async () => {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    stopListening()
    release()
    rmSync(endpointsFile(directory), { force: true })
    if (isKept) return
    rmSync(farDirectory({ directory }), { recursive: true, force: true })
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await progress.step("Postgres of this run", () => Promise.all(clusters.map((cluster) => cluster.start())))
  } catch (error) {
    await stop()
    throw error
  }
  announce(layout)
  return stop
}

// The processes in which the tests run inherit the variable.
function announce(layout: Layout): void {
  const file = endpointsFile(layout.directory)
  const { admin: _, ...passwords } = layout.passwords
  writeDatabases(file, { ...localUrls(layout), passwords })
  process.env.STACK_ENDPOINTS = file
}

// An end that leaves no time to wait: SIGTERM, or a second Ctrl-C. A cluster that is asked to end does so by itself.
function stopAtSudden(clusters: readonly Part[]): () => void {
  const ask = () => {
    for (const cluster of clusters) {
      const running = cluster.identity()
      if (running !== undefined) signal(running, "SIGINT")
    }
  }
  const terminate = () => process.exit(143)
  process.on("exit", ask)
  for (const name of ["SIGTERM", "SIGHUP"] as const) process.on(name, terminate)
  return () => {
    process.off("exit", ask)
    for (const name of ["SIGTERM", "SIGHUP"] as const) process.off(name, terminate)
    delete process.env.STACK_ENDPOINTS
  }
}
