// The order domain in full: what pricing, stock, payment, refunds, shipping and erasure keep. Captured with the rest
// are stock, refunds and shipments; discounts, shipping rules and tax rates are known to the write side alone, what
// followed from them stands in the order.
import { type Kysely, sql } from "kysely"

/** Captured from here on, beside the tables of 0004. */
const capturedTables = ["inventory", "refunds", "shipments", "shipment_items"]

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table customers add column erased_at timestamptz;
    alter table products add column version integer not null default 1;
    alter table inventory add column version integer not null default 1;
    alter table discounts
      add column active boolean not null default true,
      add column version integer not null default 1,
      add column created_at timestamptz not null default now(),
      add column updated_at timestamptz not null default now();
    -- Automatic discounts are looked for by every change of a draft; a shop may have one for every customer.
    create index discounts_automatic on discounts (customer_id, product_id) where code is null and active;
    alter table shipping_rules
      add column version integer not null default 1,
      add column created_at timestamptz not null default now(),
      add column updated_at timestamptz not null default now();
    create table tax_rates (
      country text primary key check (country ~ '^[A-Z]{2}$'),
      basis_points integer not null check (basis_points between 0 and 10000),
      version integer not null default 1,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db)

  // The country stays when the address is erased: sums per country need it and it names nobody.
  await sql`
    alter table orders
      add column country text check (country ~ '^[A-Z]{2}$'),
      add column discount_codes text[] not null default '{}',
      add column pricing jsonb,
      add column captured_minor bigint not null default 0 check (captured_minor >= 0),
      add column refunded_minor bigint not null default 0 check (refunded_minor >= 0),
      add column reserved_until timestamptz,
      add column paid_at timestamptz,
      add column shipped_at timestamptz,
      add column delivered_at timestamptz;
    create index orders_reserved on orders (reserved_until) where reserved_until is not null;
    alter table order_items
      add column reserved_quantity integer not null default 0
        check (reserved_quantity between 0 and quantity),
      add column shipped_quantity integer not null default 0
        check (shipped_quantity between 0 and quantity)`.execute(db)

  await sql`
    alter table payments
      add column captured_minor bigint not null default 0
        check (captured_minor between 0 and amount_minor),
      add column refunded_minor bigint not null default 0
        check (refunded_minor between 0 and captured_minor),
      add column failure text;
    create table refunds (
      order_id text not null references orders (id) deferrable initially immediate,
      refund integer not null check (refund > 0),
      payment integer not null,
      status text not null check (status in ('pending', 'unknown', 'succeeded', 'failed')),
      amount_minor bigint not null check (amount_minor > 0),
      currency text not null check (currency ~ '^[A-Z]{3}$'),
      reason text,
      provider_reference text,
      failure text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      primary key (order_id, refund),
      foreign key (order_id, payment) references payments (order_id, payment) deferrable initially immediate
    );
    create table shipments (
      order_id text not null references orders (id) deferrable initially immediate,
      shipment integer not null check (shipment > 0),
      carrier text not null,
      tracking text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      delivered_at timestamptz,
      primary key (order_id, shipment)
    );
    create table shipment_items (
      order_id text not null,
      shipment integer not null,
      line integer not null,
      quantity integer not null check (quantity > 0),
      primary key (order_id, shipment, line),
      foreign key (order_id, shipment) references shipments (order_id, shipment) deferrable initially immediate
    )`.execute(db)

  // What the payment provider has still to be asked; the sandbox's own memory of what it did. Neither is captured.
  await sql`
    create table provider_calls (
      key text primary key,
      order_id text not null,
      operation text not null check (operation in ('authorize', 'charge', 'capture', 'void', 'refund')),
      payment integer not null,
      refund integer,
      amount_minor bigint not null,
      currency text not null,
      method_token text,
      reference text,
      idempotency_key text,
      attempts integer not null default 0,
      ask_at timestamptz not null,
      created_at timestamptz not null default now()
    );
    create index provider_calls_due on provider_calls (ask_at);
    create table sandbox_operations (
      key text primary key,
      operation text not null,
      amount_minor bigint not null,
      currency text not null,
      method_token text not null,
      asked integer not null default 1,
      answer jsonb,
      created_at timestamptz not null default now()
    )`.execute(db)

  // Of whom an answer speaks, so that it can be forgotten with them.
  await sql`
    alter table idempotency_keys add column customer_id text;
    create index idempotency_keys_customer on idempotency_keys (customer_id) where customer_id is not null`.execute(
    db,
  )

  const captured = sql.join(capturedTables.map((table) => sql.table(table)))
  await sql`alter publication lockstep add table ${captured}`.execute(db)
  await sql`grant select on ${captured} to capture, base_loader`.execute(db)
  await sql`
    grant select, insert, update, delete on tax_rates, refunds, shipments, shipment_items, provider_calls, sandbox_operations
    to command_app;
    -- A reason is free text; erasing a customer takes it away. Nothing else of an event ever changes.
    grant update (reason) on order_events to command_app`.execute(db)
}
