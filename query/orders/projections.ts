// The table of contents of the read side: every mirrored table and every derived model of the order domain.
// Amounts are minor units; "gross" is before discounts, "net" after. A cancelled order counts as cancelled and
// in nothing else.

import {
  bigint,
  boolean,
  integer,
  jsonb,
  longText,
  text,
  textArray,
  timestamptz,
} from "../cdc/projection/columns.ts"
import { defineProjections } from "../cdc/projection/define-projections.ts"
import type { Projections } from "../cdc/projection/projection.ts"
import { cacheKeys, tablesOfOrder } from "./cache-keys.ts"
import { customerProducts, customerTotals, firstOrders } from "./customer-totals.ts"
import { orderEvents } from "./events.ts"
import { erasure } from "./personal-data.ts"
import { salesByCustomer, salesByProduct, salesByQuarterHour } from "./sales.ts"
import { wordIndex } from "./words.ts"

export const orderProjections: Projections = defineProjections({
  heartbeatTable: "cdc_heartbeat",
  erasure,
  cache: {
    ofRow: (table, [id = ""]) => {
      if (tablesOfOrder.includes(table)) return [cacheKeys.order.of(id)]
      if (table === "customers") return [cacheKeys.customer.of(id)]
      if (table === "products") return [cacheKeys.product.of(id)]
      return table === "inventory" ? [cacheKeys.product.of(id), cacheKeys.inventory.of(id)] : []
    },
    ofGroup: (model, [customerId = ""]) =>
      model === customerTotals.name || model === customerProducts.name
        ? [cacheKeys.customer.of(customerId)]
        : [],
    found: {
      // A customer's answer shows their last orders; whom an order leaves is found by their totals.
      orders: (schema, changed) =>
        `select ${cacheKeys.customer.sql("customer_id")} from ${schema}.orders where id = any(${changed}) and not deleted`,
      order_items: (schema, changed) =>
        `select ${cacheKeys.customer.sql("customer_id")} from ${schema}.orders where id = any(${changed}) and not deleted`,
      // An order's answer shows its customer.
      customers: (schema, changed) =>
        `select ${cacheKeys.order.sql("id")} from ${schema}.orders where customer_id = any(${changed}) and not deleted`,
    },
  },
  tables: [
    {
      name: "customers",
      key: [text("id")],
      columns: [
        longText("email"),
        longText("name"),
        longText("phone"),
        jsonb("address"),
        integer("version"),
        timestamptz("created_at"),
        timestamptz("updated_at"),
        timestamptz("erased_at"),
      ],
      // By hash, because an address that others than our services have stored may be longer than a page.
      indexes: ["using hash (lower(email))"],
    },
    {
      name: "products",
      key: [text("id")],
      columns: [
        longText("name"),
        bigint("price_minor"),
        longText("currency"),
        integer("weight_grams"),
        boolean("active"),
        integer("version"),
        timestamptz("created_at"),
        timestamptz("updated_at"),
      ],
      indexes: [wordIndex("name")],
    },
    {
      name: "orders",
      key: [text("id")],
      columns: [
        longText("customer_id"),
        longText("status"),
        longText("currency"),
        bigint("subtotal_minor"),
        bigint("discount_minor"),
        bigint("shipping_minor"),
        bigint("tax_minor"),
        bigint("total_minor"),
        bigint("captured_minor"),
        bigint("refunded_minor"),
        jsonb("shipping_address"),
        longText("country"),
        textArray("discount_codes"),
        jsonb("pricing"),
        longText("note"),
        longText("cancel_reason"),
        integer("version"),
        timestamptz("created_at"),
        timestamptz("updated_at"),
        timestamptz("confirmed_at"),
        timestamptz("reserved_until"),
        timestamptz("paid_at"),
        timestamptz("shipped_at"),
        timestamptz("delivered_at"),
        timestamptz("cancelled_at"),
      ],
      indexes: [
        "(created_at desc, id desc)",
        "(customer_id, created_at desc, id desc)",
        "(status, created_at desc, id desc)",
        "(country, created_at desc, id desc) where country is not null",
        "(currency, total_minor)",
        wordIndex("note"),
      ],
    },
    {
      name: "order_items",
      key: [text("order_id"), integer("line")],
      columns: [
        longText("product_id"),
        integer("quantity"),
        bigint("unit_price_minor"),
        integer("reserved_quantity"),
        integer("shipped_quantity"),
        timestamptz("created_at"),
        timestamptz("updated_at"),
      ],
      indexes: [],
    },
    {
      name: "payments",
      key: [text("order_id"), integer("payment")],
      columns: [
        longText("status"),
        bigint("amount_minor"),
        bigint("captured_minor"),
        bigint("refunded_minor"),
        longText("currency"),
        longText("provider"),
        longText("provider_reference"),
        timestamptz("created_at"),
        timestamptz("updated_at"),
      ],
      indexes: [],
    },
    {
      name: "refunds",
      key: [text("order_id"), integer("refund")],
      columns: [
        integer("payment"),
        longText("status"),
        bigint("amount_minor"),
        longText("currency"),
        longText("reason"),
        timestamptz("created_at"),
        timestamptz("updated_at"),
      ],
      indexes: [],
    },
    {
      name: "shipments",
      key: [text("order_id"), integer("shipment")],
      columns: [
        longText("carrier"),
        longText("tracking"),
        timestamptz("created_at"),
        timestamptz("updated_at"),
        timestamptz("delivered_at"),
      ],
      indexes: [],
    },
    {
      name: "shipment_items",
      key: [text("order_id"), integer("shipment"), integer("line")],
      columns: [integer("quantity")],
      indexes: [],
    },
    {
      name: "inventory",
      key: [text("product_id")],
      columns: [bigint("on_hand"), bigint("reserved"), integer("version"), timestamptz("updated_at")],
      indexes: [],
    },
    {
      name: "order_events",
      key: [text("order_id"), integer("version")],
      columns: [
        longText("type"),
        jsonb("payload"),
        longText("actor"),
        longText("reason"),
        longText("request_id"),
        longText("traceparent"),
        timestamptz("occurred_at"),
      ],
      indexes: [],
    },
  ],
  outbox: orderEvents,
  derived: [salesByQuarterHour, salesByCustomer, salesByProduct, customerTotals, customerProducts],
  recomputed: [firstOrders],
})
