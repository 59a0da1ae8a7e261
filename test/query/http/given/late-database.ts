// A server that takes connections and never answers, as a network that loses everything looks from here.
import { once } from "node:events"
import { createServer, type Socket } from "node:net"

export type LateDatabase = { url: string; close: () => Promise<void> }

export async function createLateDatabase(): Promise<LateDatabase> {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket))
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" && address ? address.port : 0
  return {
    url: `postgres://reader@127.0.0.1:${port}/nowhere`,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
