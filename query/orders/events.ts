// The domain events of orders, for other systems. Every row of `order_events` is an event. If another tool changes an
// order's rows without such a row, an event is inferred from the rows before and after. No event holds personal data:
// payloads never do, and an inferred event shows the values of the named columns only.
import { z } from "zod"
import type { Image, ImageRow, Outbox } from "../cdc/projection/projection.ts"

/** Columns of the order whose values an inferred event shows. */
const shownColumns = [
  "status",
  "currency",
  "subtotal_minor",
  "discount_minor",
  "shipping_minor",
  "tax_minor",
  "total_minor",
  "captured_minor",
  "refunded_minor",
] as const

const recordedData = z.object({
  order_id: z.string(),
  version: z.int().describe("Of the order after the event; the first is 1."),
  payload: z
    .record(z.string(), z.unknown())
    .describe("As the command recorded it; amounts are decimal texts of minor units."),
})

const shown = z.record(z.enum(shownColumns), z.string().nullable())
const inferredData = z.object({
  order_id: z.string(),
  version: z.int().nullable().describe("As the order's row has it; nothing says that it was raised."),
  before: shown.nullable().describe("Null if there was no order."),
  after: shown.nullable().describe("Null if there is no order any more."),
  changes: z.array(
    z.object({
      table: z.string(),
      key: z.array(z.string()).describe("Without the order's id."),
      change: z.enum(["inserted", "updated", "deleted"]),
      columns: z.array(z.string()),
    }),
  ),
  complete: z.boolean().describe("False for an order of so many rows that not all were compared."),
})

export const orderEvents: Outbox = {
  topic: "order-events",
  recordedIn: "order_events",
  recorded: {
    type: "recorded.type",
    occurredAt: "recorded.occurred_at",
    traceparent: "recorded.traceparent",
    data: `jsonb_build_object('order_id', recorded.order_id, 'version', recorded.version,
      'payload', coalesce(recorded.payload, '{}'))`,
  },
  inferredFrom: ["orders", "order_items", "payments", "refunds", "shipments", "shipment_items"],
  infer({ aggregate, before, after, differences, isWhole }) {
    const was = orderIn(before)
    const is = orderIn(after)
    const version = (is ?? was)?.version ?? null
    const data: z.infer<typeof inferredData> = {
      order_id: aggregate,
      version: version === null ? null : Number(version),
      before: was && show(was),
      after: is && show(is),
      changes: differences.map(({ table, key, change, columns }) => ({
        table,
        key: [...key],
        change,
        columns: [...columns],
      })),
      complete: isWhole,
    }
    return { type: typeOf(was, is), data }
  },
  dataSchema: z.toJSONSchema(z.union([recordedData, inferredData]), { target: "draft-7" }),
}

const typesByStatus: Readonly<Record<string, string>> = {
  confirmed: "OrderConfirmed",
  paid: "PaymentProcessed",
  shipped: "OrderShipped",
  delivered: "OrderDelivered",
  cancelled: "OrderCancelled",
}

function typeOf(was: ImageRow | null, is: ImageRow | null): string {
  if (!is) return was ? "OrderDeleted" : "OrderUpdated"
  if (!was) return "OrderCreated"
  if (was.status !== is.status) return typesByStatus[is.status ?? ""] ?? "OrderUpdated"
  return BigInt(is.refunded_minor ?? 0) > BigInt(was.refunded_minor ?? 0) ? "OrderRefunded" : "OrderUpdated"
}

const orderIn = (image: Image): ImageRow | null => image.orders?.[0] ?? null

const show = (row: ImageRow): z.infer<typeof shown> => ({
  status: row.status ?? null,
  currency: row.currency ?? null,
  subtotal_minor: row.subtotal_minor ?? null,
  discount_minor: row.discount_minor ?? null,
  shipping_minor: row.shipping_minor ?? null,
  tax_minor: row.tax_minor ?? null,
  total_minor: row.total_minor ?? null,
  captured_minor: row.captured_minor ?? null,
  refunded_minor: row.refunded_minor ?? null,
})
