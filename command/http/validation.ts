// Turns the faults that zod found into a problem that points at each of them.
import type { Hook } from "@hono/zod-openapi"
import type { Env } from "hono"
import { HttpFault, type RequestError } from "./http-errors.ts"

const maximumErrors = 20

/** The default hook of the app: throws one fault for everything that a schema refused. */
export const refuseInvalid: Hook<unknown, Env, string, undefined> = (result) => {
  if (result.success) return undefined
  const errors = result.error.issues.flatMap((issue): RequestError[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => at(result.target, [...issue.path, key], "is not a known member"))
    }
    return [at(result.target, issue.path, issue.message)]
  })
  throw new HttpFault("invalid-request", "Some parts of the request are not acceptable.", {
    errors: errors.slice(0, maximumErrors),
  })
}

function at(target: string, path: readonly PropertyKey[], detail: string): RequestError {
  const names = path.map((name) => String(name).slice(0, 100))
  if (target === "header") return { header: names.join("."), detail }
  if (target === "param" || target === "query") return { parameter: names.join("."), detail }
  // RFC 6901: "~" and "/" inside a name are escaped.
  return {
    pointer: names.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""),
    detail,
  }
}
