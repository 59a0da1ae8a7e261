// What reading a record costs: the engine's lean reading beside the registry client's own, over records and schemas that
// the real connector wrote. `npx tsx test/bench/decode.ts`; nothing else has to run. Both make an object of a record's
// bytes, the client of all fields; the whole decoder goes on to the row change.
import { once } from "node:events"
import { createServer } from "node:http"
import { SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry"
import { createDecoder } from "../../query/cdc/decode/decode.ts"
import { createEnvelopeReading } from "../../query/cdc/decode/envelope.ts"
import { exactLong, parseSchema } from "../../query/cdc/decode/lean-schema.ts"
import { orderProjections } from "../../query/orders/projections.ts"
import { capturedRecords, capturedRegistry } from "../query/cdc/fixtures/envelopes.ts"
import { median } from "./statistics.ts"

const rounds = 9
const passes = 2_000

const { fetchSchema } = capturedRegistry()
const records = orderProjections.tables.flatMap((table) =>
  capturedRecords(table.name).flatMap((raw) =>
    raw.value === null ? [] : [{ raw, table, value: raw.value }],
  ),
)
const readings = await Promise.all(
  records.map(async ({ raw, table, value }) => {
    const schemaId = value.readInt32BE(1)
    const key = raw.key && parseSchema(await fetchSchema(raw.key.readInt32BE(1)))
    const writer = parseSchema(await fetchSchema(schemaId))
    return { payload: value.subarray(5), ...createEnvelopeReading(table, { schemaId, writer, key }) }
  }),
)

const server = createServer((request, response) => {
  void fetchSchema(Number(request.url?.split("/").at(-1))).then((schema) =>
    response.end(JSON.stringify({ schema })),
  )
}).listen(0, "127.0.0.1")
await once(server, "listening")
const address = server.address()
const host = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`

const decoder = createDecoder(fetchSchema)
const plain = new SchemaRegistry({ host })
const hooked = new SchemaRegistry({ host }, { [SchemaType.AVRO]: { wrapUnions: false, typeHook: exactLong } })

const ways = {
  lean: async () => {
    for (const { payload, decode } of readings) decode(payload)
  },
  decoder: async () => {
    for (const { raw, table } of records) await decoder.decodeData(raw, table)
  },
  client: async () => {
    for (const { value } of records) await hooked.decode(value)
  },
}

/** Records for a second of processor time. */
async function rateOf(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  for (let pass = 0; pass < passes; pass++) await work()
  const { user, system } = process.cpuUsage(before)
  return (passes * records.length) / ((user + system) / 1e6)
}

const names = ["lean", "client", "decoder"] as const
const rates = { lean: [] as number[], client: [] as number[], decoder: [] as number[] }
for (let round = 0; round <= rounds; round++) {
  for (const name of names) {
    const rate = await rateOf(ways[name])
    // The first round warms up.
    if (round > 0) rates[name].push(rate)
  }
}
let unread = 0
for (const { value } of records) await plain.decode(value).catch(() => unread++)

const lean = median(rates.lean)
const client = median(rates.client)
const shown = (rate: number): string => Math.round(rate).toLocaleString("en").padStart(9)
process.stdout.write(`${records.length} records, ${rounds} rounds, records for a second of processor time
lean reading               ${shown(lean)}
client with a type hook    ${shown(client)}   ${(lean / client).toFixed(1)} times slower than the lean reading
client as it is            ${unread} of ${records.length} records unread
whole decoder              ${shown(median(rates.decoder))}
`)
server.closeAllConnections()
server.close()
