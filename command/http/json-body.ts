// Takes a request's body before any schema sees it: UTF-8 JSON, shallow, and holding nothing that
// JSON.parse would change without a word. A member named twice and a number that a double cannot hold are
// refused, so the validated body is the body that was sent.
import type { MiddlewareHandler } from "hono"
import { isSafeNumber, LosslessNumber, parse } from "lossless-json"
import { HttpFault } from "./http-errors.ts"

const maximumDepth = 16
const jsonMediaType = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i

/** For routes that need a JSON body. */
export const jsonBody: MiddlewareHandler = async (c, next) => {
  requireJson(c.req.header("content-type"))
  checkJson(decode(await c.req.arrayBuffer()))
  await next()
}

/** For routes that take no body: none at all, or an empty JSON object as many clients send it. */
export const noBody: MiddlewareHandler = async (c, next) => {
  const body = decode(await c.req.arrayBuffer())
  if (body !== "") {
    requireJson(c.req.header("content-type"))
    checkJson(body)
    if (body.replace(/\s/g, "") !== "{}") {
      const errors = [{ pointer: "", detail: "must be absent or an empty object" }]
      throw new HttpFault("invalid-request", "This command takes no body.", { errors })
    }
  }
  await next()
}

/** For routes whose body may be left out: none at all stands for an empty object. */
export const optionalJsonBody: MiddlewareHandler = async (c, next) => {
  const body = decode(await c.req.arrayBuffer())
  // Hono keeps promises there, whatever its type says; validation and fingerprint read this one.
  if (body === "") Object.assign(c.req.bodyCache, { text: Promise.resolve("{}") })
  else {
    requireJson(c.req.header("content-type"))
    checkJson(body)
  }
  await next()
}

function requireJson(contentType: string | undefined): void {
  if (contentType !== undefined && jsonMediaType.test(contentType.trim())) return
  throw new HttpFault("unsupported-media-type", "Send the body as application/json in UTF-8.", {
    headers: { Accept: "application/json" },
  })
}

function decode(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    throw new HttpFault("malformed-json", "The body is not valid UTF-8.")
  }
}

function checkJson(text: string): void {
  if (text.trim() === "") throw new HttpFault("malformed-json", "The body is empty.")
  if (depthOf(text) > maximumDepth) {
    throw new HttpFault("malformed-json", `The body is nested deeper than ${maximumDepth} levels.`)
  }
  try {
    parse(text, undefined, exactNumber)
  } catch (error) {
    throw new HttpFault(
      "malformed-json",
      `The body is not acceptable JSON: ${error instanceof Error ? error.message.slice(0, 200) : "unreadable"}`,
    )
  }
}

function exactNumber(digits: string): LosslessNumber {
  if (isSafeNumber(digits) && Number.isFinite(Number(digits))) return new LosslessNumber(digits)
  throw new RangeError(`the number ${digits.slice(0, 40)} cannot be held exactly; send a decimal string`)
}

/** How deep arrays and objects are nested; one pass without recursion, so that no body can make it costly. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const char = text[index]
    if (inString) {
      if (char === "\\") index++
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === "[" || char === "{") deepest = Math.max(deepest, ++depth)
    else if (char === "]" || char === "}") depth--
  }
  return deepest
}
