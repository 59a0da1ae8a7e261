// The form in which events leave: CloudEvents 1.0 as structured JSON, one message each, and the JSON Schema of such a
// message. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
// `traceparent` is the distributed tracing extension; `inferred` is ours and stands on every event.
import { z } from "zod"
import type { OutgoingRecord } from "../kafka/producer.ts"
import type { Outbox } from "../projection/projection.ts"

export type OutboxRow = {
  id: bigint
  source: string
  aggregate: string
  number: string
  inferred: boolean
  type: string
  /** RFC 3339; null where the source's clock cannot be written so. */
  time: string | null
  traceparent: string | null
  /** JSON text. */
  data: string
}

const dataschema = (topic: string): string => `urn:lockstep:${topic}:1#/properties/data`

const traceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Unique for all time among the events of a source. */
export const eventId = ({ aggregate, number }: Pick<OutboxRow, "aggregate" | "number">): string =>
  `${aggregate}/${number}`

/** Keyed by its aggregate, so that one aggregate's events stay in their sequence. */
export function toRecord(outbox: Outbox, row: OutboxRow): OutgoingRecord {
  const attributes = {
    specversion: "1.0",
    id: eventId(row),
    source: `urn:lockstep:${row.source}`,
    type: row.type,
    subject: row.aggregate,
    ...(row.time === null ? {} : { time: row.time }),
    datacontenttype: "application/json",
    dataschema: dataschema(outbox.topic),
    inferred: row.inferred,
    ...(row.traceparent !== null && traceparent.test(row.traceparent)
      ? { traceparent: row.traceparent }
      : {}),
  }
  // As text, because parsing would round large numbers.
  const value = `${JSON.stringify(attributes).slice(0, -1)},"data":${row.data}}`
  return {
    key: Buffer.from(row.aggregate),
    value: Buffer.from(value),
    headers: {
      "content-type": "application/cloudevents+json; charset=UTF-8",
      "lockstep.outbox.id": String(row.id),
    },
  }
}

/** JSON Schema, draft 7, of every message of the topic. */
export function messageSchema(outbox: Outbox): Record<string, unknown> {
  const envelope = z.looseObject({
    specversion: z.literal("1.0"),
    id: z
      .string()
      .min(1)
      .describe("Unique for all time among the events of a source: consumers know a copy by it."),
    source: z.string().min(1),
    type: z.string().min(1),
    subject: z.string().min(1).describe("The aggregate, which is the key of the record, too."),
    time: z.iso.datetime().optional(),
    datacontenttype: z.literal("application/json"),
    dataschema: z.literal(dataschema(outbox.topic)),
    inferred: z
      .boolean()
      .describe(
        "The change was made to the tables without an event; this one was made from the rows before and after.",
      ),
    traceparent: z.string().regex(traceparent).optional(),
  })
  const { properties, required = [], ...rest } = z.toJSONSchema(envelope, { target: "draft-7" })
  return {
    ...rest,
    $id: `urn:lockstep:${outbox.topic}:1`,
    properties: { ...properties, data: outbox.dataSchema },
    required: [...required, "data"],
  }
}
