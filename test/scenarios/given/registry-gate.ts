// A door before the schema registry: passes everything, or says that it does not know a schema, or is closed.
import { once } from "node:events"
import { createServer } from "node:http"

export type RegistryGate = {
  url: string
  /** Schemas of which this text is part of are unknown from now on; null knows all. */
  forget: (part: string | null) => void
  close: () => Promise<void>
}

export async function openRegistryGate(registryUrl: string): Promise<RegistryGate> {
  let forgotten: string | null = null
  const server = createServer((request, response) => {
    void (async () => {
      const answer = await fetch(new URL(request.url ?? "/", registryUrl))
      const text = await answer.text()
      const isUnknown = forgotten !== null && text.includes(forgotten)
      response.writeHead(isUnknown ? 404 : answer.status, { "Content-Type": "application/json" })
      response.end(isUnknown ? '{"error_code":40403}' : text)
    })().catch(() => response.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    forget(part) {
      forgotten = part
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, "close")
    },
  }
}
