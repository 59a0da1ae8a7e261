// Refuses bodies that are too large, by their announced length where there is one.
import type { MiddlewareHandler } from "hono"
import { bodyLimit } from "hono/body-limit"
import { HttpFault } from "./http-errors.ts"

const maximumBytes = 1_048_576

const countBytes = bodyLimit({ maxSize: maximumBytes, onError: refuse })

/** The announced length is trusted, because Node's parser cuts a body there; without one the bytes are counted. */
export const limitBody: MiddlewareHandler = (c, next) => {
  const announced = c.req.header("content-length")
  if (announced === undefined || c.req.header("transfer-encoding") !== undefined) return countBytes(c, next)
  if (Number(announced) > maximumBytes) refuse()
  return next()
}

function refuse(): never {
  // The rest of the body is not read, so the connection cannot be used again.
  throw new HttpFault("body-too-large", `A body has at most ${maximumBytes} bytes.`, {
    headers: { Connection: "close" },
  })
}
