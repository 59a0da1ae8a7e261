// A customer of whom everything personal has a mark, a text that occurs nowhere else, so that it is found wherever it is.
import type { Client } from "../../support/client.ts"

/** @returns the customer's path. */
export async function createMarkedCustomer(client: Client, mark: string): Promise<string> {
  const { headers } = await client.command("POST", "/customers", {
    email: `${mark}@example.com`,
    name: `${mark} name`,
    phone: "+1 212 555 0100",
    address: { street: `${mark} street`, city: "c", zip: "1" },
  })
  return headers.get("location") ?? ""
}

/** The id in the path of a customer or an order. */
export const idOf = (path: string): string => path.split("/")[2] ?? ""
