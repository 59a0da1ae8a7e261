// The normalized tables of the write side. Ids are text, money is bigint minor units with a currency.
// Child tables carry the aggregate id in their primary key, so that a delete under REPLICA IDENTITY DEFAULT
// still names its order and no table needs FULL.
import { type Kysely, sql } from "kysely"

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table customers (
      id text primary key,
      email text not null,
      name text not null,
      phone text,
      address jsonb,
      version integer not null default 1,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db)
  await sql`create unique index customers_email on customers (lower(email))`.execute(db)
  await sql`
    create table products (
      id text primary key,
      name text not null,
      price_minor bigint not null check (price_minor >= 0),
      currency text not null check (currency ~ '^[A-Z]{3}$'),
      weight_grams integer not null default 0 check (weight_grams >= 0),
      active boolean not null default true,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db)
  await sql`
    create table inventory (
      product_id text primary key references products (id),
      on_hand bigint not null default 0 check (on_hand >= 0),
      reserved bigint not null default 0 check (reserved >= 0 and reserved <= on_hand),
      updated_at timestamptz not null default now()
    )`.execute(db)
  await sql`
    create table discounts (
      id text primary key,
      code text unique,
      customer_id text references customers (id),
      product_id text references products (id),
      kind text not null check (kind in ('percent', 'fixed')),
      percent_basis_points integer check (percent_basis_points between 0 and 10000),
      amount_minor bigint check (amount_minor >= 0),
      currency text check (currency ~ '^[A-Z]{3}$'),
      minimum_order_minor bigint not null default 0,
      usage_limit integer check (usage_limit > 0),
      times_used integer not null default 0,
      stackable boolean not null default false,
      valid_from timestamptz not null default now(),
      valid_until timestamptz,
      check ((kind = 'percent') = (percent_basis_points is not null)),
      check ((kind = 'fixed') = (amount_minor is not null and currency is not null))
    )`.execute(db)
  await sql`
    create table shipping_rules (
      id text primary key,
      country text not null check (country ~ '^[A-Z]{2}$'),
      currency text not null check (currency ~ '^[A-Z]{3}$'),
      maximum_weight_grams integer,
      price_minor bigint not null check (price_minor >= 0),
      free_above_minor bigint
    )`.execute(db)
  await sql`
    create table orders (
      id text primary key,
      customer_id text not null references customers (id),
      status text not null
        check (status in ('draft', 'confirmed', 'paid', 'shipped', 'delivered', 'cancelled')),
      currency text not null check (currency ~ '^[A-Z]{3}$'),
      subtotal_minor bigint not null default 0,
      discount_minor bigint not null default 0,
      shipping_minor bigint not null default 0,
      tax_minor bigint not null default 0,
      total_minor bigint not null default 0,
      shipping_address jsonb,
      note text,
      cancel_reason text,
      last_line integer not null default 0,
      version integer not null default 1,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      confirmed_at timestamptz,
      cancelled_at timestamptz
    )`.execute(db)
  await sql`create index orders_customer on orders (customer_id)`.execute(db)
  await sql`
    create table order_items (
      order_id text not null references orders (id) deferrable initially immediate,
      line integer not null check (line > 0),
      product_id text not null references products (id),
      quantity integer not null check (quantity > 0),
      unit_price_minor bigint not null check (unit_price_minor >= 0),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      primary key (order_id, line)
    )`.execute(db)
  await sql`
    create table payments (
      order_id text not null references orders (id) deferrable initially immediate,
      payment integer not null check (payment > 0),
      status text not null,
      amount_minor bigint not null check (amount_minor >= 0),
      currency text not null check (currency ~ '^[A-Z]{3}$'),
      provider text not null,
      provider_reference text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      primary key (order_id, payment)
    )`.execute(db)
}
