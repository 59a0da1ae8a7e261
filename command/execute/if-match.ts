// The versions of a resource that a client is willing to change, and the refusal of every other version.
import { type Refused, refuse } from "../vocabulary/rejection.ts"

/** `any`: a resource that exists, whatever its version. */
export type IfMatch = "any" | readonly number[]

/** The rejection if the client named versions and the present one is not among them. */
export function refuseUnlessMatching(
  ifMatch: IfMatch | undefined,
  currentVersion: number,
): Refused | undefined {
  if (ifMatch === undefined || ifMatch === "any" || ifMatch.includes(currentVersion)) return undefined
  return refuse("version-mismatch", `The present version is ${currentVersion}.`, {
    current_version: currentVersion,
  })
}
