// Free ports on 127.0.0.1. They are picked below the range from which systems take ports for outgoing connections,
// so that a port stays ours between two starts.
import { createServer } from "node:net"

const first = 20_000
const last = 31_999

/** True when nobody listens on the port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** A free port that is not in `taken`; `random` gives numbers in [0, 1). */
export async function pickFreePort(taken: ReadonlySet<number>, random = Math.random): Promise<number> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const port = first + Math.floor(random() * (last - first + 1))
    if (!taken.has(port) && (await isFree(port))) return port
  }
  throw new Error(
    `No free port between ${first} and ${last} on 127.0.0.1: stop what occupies them and try again.`,
  )
}
