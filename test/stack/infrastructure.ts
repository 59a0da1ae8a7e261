// Which kind of stack to use: processes of this machine, containers, or servers that run elsewhere.
import { execFile } from "node:child_process"
import { promisify } from "node:util"
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

/** The kind of stack that the settings ask for. Processes of this machine unless they say otherwise, with or without Docker. */
export const kindOf = (settings: Settings): Infrastructure["kind"] => settings.STACK ?? "native"

/** True when a container engine and its compose plugin answer. */
export const engineAnswers = async (): Promise<boolean> =>
  (await answers("info")) && (await answers("compose", "version"))

function answers(...args: string[]): Promise<boolean> {
  return promisify(execFile)("docker", args, { timeout: 5000 }).then(
    () => true,
    () => false,
  )
}
