// Whether the program runs in a checkout, which may run a stack, or compiled in an image, which never does.
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const isCheckout = import.meta.url.endsWith(".ts")

/** The directory of package.json. */
export const projectDirectory = new URL(isCheckout ? "../../" : "../../../", import.meta.url)

/** The checkout's directory; null in an image. */
export const checkout: string | null = isCheckout ? fileURLToPath(projectDirectory) : null

/** The file in which the stack that people start says where its parts are; null where no such stack runs. */
export function endpointsFileOf(directory: string | null): string | null {
  const file = directory === null ? null : `${directory}.stack/endpoints.json`
  return file !== null && existsSync(file) ? file : null
}
