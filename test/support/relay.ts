// A way to a server that can be disturbed: a TCP relay in front of it, for the one process whose URL names the relay.
// A black hole is what a cut network or a frozen server looks like from outside: connections open or stay open, and
// nothing comes through in either direction until it is over; then everything goes on where it stopped.
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

export type Relay = {
  /** The same URL, or `host:port`, by way of the relay. */
  through: (url: string) => string
  pass: () => Promise<void>
  blackHole: () => void
  /** Connections break, and new ones are refused. */
  refuse: () => Promise<void>
  /** Connections are reset; new ones too, as soon as they are open. */
  reset: () => void
  /** How many connections there are. */
  connections: () => number
  close: () => Promise<void>
}

type Mode = "pass" | "black hole" | "refuse" | "reset"

/** `target` is a URL with a port, or the `host:port` of a Kafka broker, whose answers then name the relay instead. */
export async function createRelay(target: string): Promise<Relay> {
  const isBroker = !target.includes("://")
  const place = new URL(isBroker ? `tcp://${target}` : target)
  const pairs = new Set<{ near: Socket; far: Socket }>()
  let mode: Mode = "pass"

  const server = createServer((near) => {
    if (mode === "reset") {
      near.resetAndDestroy()
      return
    }
    const far = connect(Number(place.port), place.hostname)
    const pair = { near, far }
    pairs.add(pair)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true)
      from.on("data", (data) => {
        if (!to.write(from === far && isBroker ? renamed(data) : data)) from.pause()
      })
      to.on("drain", () => mode === "pass" && from.resume())
      // The goodbye of one side passes like everything else, or does not.
      from.on("end", () => to.end())
      from.on("error", () => {})
      from.on("close", () => {
        pairs.delete(pair)
        to.destroy()
      })
      if (mode === "black hole") from.pause()
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (typeof address !== "object" || !address) throw new Error("the relay has no port")
  const { port } = address
  const ownName = addressOf("127.0.0.1", port)
  const brokerName = addressOf(place.hostname, Number(place.port))

  /** A broker tells its clients where it is, and they go there. */
  function renamed(data: Buffer): Buffer {
    const copy = Buffer.from(data)
    for (let at = copy.indexOf(brokerName); at >= 0; at = copy.indexOf(brokerName, at + 1))
      ownName.copy(copy, at)
    return copy
  }

  function breakAll(end: (socket: Socket) => void): void {
    for (const { near, far } of pairs) {
      end(near)
      far.destroy()
    }
  }

  return {
    through(url) {
      if (isBroker) return `127.0.0.1:${port}`
      const by = new URL(url)
      by.hostname = "127.0.0.1"
      by.port = String(port)
      return by.href
    },
    async pass() {
      mode = "pass"
      if (!server.listening) {
        server.listen(port, "127.0.0.1")
        await once(server, "listening")
      }
      for (const { near, far } of pairs) {
        near.resume()
        far.resume()
      }
    },
    blackHole() {
      mode = "black hole"
      for (const { near, far } of pairs) {
        near.pause()
        far.pause()
      }
    },
    async refuse() {
      mode = "refuse"
      const closed = once(server, "close")
      server.close()
      breakAll((socket) => socket.destroy())
      await closed
    },
    reset() {
      mode = "reset"
      breakAll((socket) => socket.resetAndDestroy())
    },
    connections: () => pairs.size,
    async close() {
      breakAll((socket) => socket.destroy())
      if (!server.listening) return
      const closed = once(server, "close")
      server.close()
      await closed
    },
  }
}

/** As the protocol writes it: the text, then the port in four bytes. */
function addressOf(host: string, port: number): Buffer {
  const address = Buffer.alloc(host.length + 4)
  address.write(host)
  address.writeUInt32BE(port, host.length)
  return address
}
