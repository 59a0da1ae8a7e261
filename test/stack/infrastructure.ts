// Which kind of stack to use: processes of this machine, containers, or servers that somebody else runs.
import { spawnSync } from "node:child_process"
import { createContainerInfrastructure } from "./compose/containers.ts"
import { createExternalInfrastructure } from "./external.ts"
import type { Layout } from "./layout.ts"
import { createNativeInfrastructure, type NativeOptions } from "./native/native.ts"
import { readExternalServers, type Settings } from "./settings.ts"
import type { Infrastructure } from "./stack.ts"

/** The infrastructure of this kind, running or not. */
export function createInfrastructure(
  kind: Infrastructure["kind"],
  layout: Layout,
  options: NativeOptions = {},
): Infrastructure {
  switch (kind) {
    case "native":
      return createNativeInfrastructure(layout, options)
    case "compose":
      return createContainerInfrastructure(layout, options)
    case "external":
      return createExternalInfrastructure(readExternalServers())
    default:
      return kind satisfies never
  }
}

/** The kind for `npm start`: what was asked for, else containers where an engine answers, else native. */
export const kindOfStart = (settings: Settings): "native" | "compose" | "external" =>
  settings.STACK ?? (settings.STACK_PARTS === "all" && engineAnswers() ? "compose" : "native")

/** True when a container engine and its compose plugin answer. */
export const engineAnswers = (): boolean => answers("info") && answers("compose", "version")

const answers = (...args: string[]): boolean =>
  spawnSync("docker", args, { stdio: "ignore", timeout: 5000 }).status === 0
