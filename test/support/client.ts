// A client of both services: sends commands, and reads with the consistency token of the last command it sent, as a
// careful application would.
import { openedForFile } from "./opened.ts"
import type { System } from "./system.ts"

export type Answer = { status: number; headers: Headers; text: string; body: Record<string, unknown> }

export type Client = {
  /** Sends a command; an object becomes a JSON body. An accepted one makes later reads wait for it. */
  command: (method: string, path: string, body?: object, headers?: Record<string, string>) => Promise<Answer>
  /** Reads with the token of the last accepted command, unless other headers are given. */
  read: (path: string, headers?: Record<string, string>) => Promise<Answer>
  /** Places an order of `quantity` keyboards and returns its path. */
  placeOrder: (quantity?: number) => Promise<string>
}

export function createClient(commandUrl: string, queryUrl: () => string): Client {
  let token: string | null = null

  const command: Client["command"] = async (method, path, body, headers = {}) => {
    const answer = await send(`${commandUrl}${path}`, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    token = answer.headers.get("consistency-token") ?? token
    return answer
  }

  return {
    command,
    // Longer than the default: a machine under test may be busy.
    read: (path, headers = token === null ? {} : { "Consistency-Token": token, Prefer: "wait=20" }) =>
      send(`${queryUrl()}${path}`, { headers }),
    async placeOrder(quantity = 1) {
      const { headers, text } = await command("POST", "/orders", {
        customer_id: "customer-123",
        items: [{ product_id: "product-456", quantity }],
      })
      const location = headers.get("location")
      if (location === null) throw new Error(`no order was placed: ${text}`)
      return location
    },
  }
}

/** A client of a system for all tests of the file. */
export function givenClient(system: System): Client {
  const client = openedForFile(
    () => createClient(system.commandUrl, system.query.url),
    () => {},
  )
  return {
    command: (...request) => client().command(...request),
    read: (...request) => client().read(...request),
    placeOrder: (quantity) => client().placeOrder(quantity),
  }
}

async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text === "" ? {} : JSON.parse(text),
  }
}
