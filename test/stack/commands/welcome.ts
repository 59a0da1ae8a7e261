// What `npm start` prints when everything runs: where the services are and three requests that show the whole circle.
import type { Settings } from "../settings.ts"

/** The text for a system that took so many seconds to start. */
export function describeSystem(settings: Settings, logs: string, seconds: number): string {
  const command = `http://localhost:${settings.COMMAND_PORT}`
  const query = `http://localhost:${settings.QUERY_PORT}`
  const ready = `\nEverything runs after ${seconds.toFixed(1)} s. Logs: ${logs}`
  if (settings.STACK_PARTS === "infra") return ready
  return `${ready}

  commands  ${command}
  queries   ${query}

Try, in another terminal:

  curl -i -X POST ${command}/orders -H "Content-Type: application/json" \\
    -d '{"customer_id": "customer-123", "items": [{"product_id": "product-456", "quantity": 2, "price": 29.99}]}'
  curl -i ${query}/orders/<id from the answer>
  curl "${query}/analytics/orders?period=monthly"

Ctrl-C stops everything; the data is kept for the next start.
`
}
