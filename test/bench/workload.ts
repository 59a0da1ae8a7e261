// Workload W: what an order system does all day, as transactions written straight to the write tables. 35 % create
// an order of three lines, 50 % change a status, 10 % change a line, 4 % delete a line, 1 % delete an order; four of
// five changes hit the newest 5 % of the orders. Every transaction appends one row to order_events, so each can be
// found again on the read side. The functions live in a schema of their own, which nothing captures.
import type pg from "pg"

const schema = `
create schema bench;
create sequence bench.orders_made;

create function bench.create_order(name text, made timestamptz) returns void language sql as $$
  insert into public.orders (id, customer_id, status, currency, subtotal_minor, total_minor, last_line, created_at)
  values (name, 'customer-' || (123 + abs(hashtext(name)) % 3), 'draft', 'USD', 13397, 13397, 3, made);
  insert into public.order_items (order_id, line, product_id, quantity, unit_price_minor)
  values (name, 1, 'product-456', 2, 2999), (name, 2, 'product-457', 1, 4950), (name, 3, 'product-458', 5, 450);
  insert into public.order_events (order_id, version, type, payload)
  values (name, 1, 'OrderCreated', jsonb_build_object('customer_id', 'customer-123', 'lines', 3));
$$;

create function bench.change(prefix text) returns void language plpgsql as $$
declare
  chosen float8 := random();
  newest bigint := (select last_value from bench.orders_made);
  name text;
  next integer;
begin
  if random() < 0.8 then name := prefix || newest - floor(random() * greatest(newest * 0.05, 1))::bigint;
  else name := prefix || 1 + floor(random() * newest)::bigint;
  end if;
  if chosen >= 0.35 then
    update public.orders set version = version + 1, updated_at = clock_timestamp(),
      status = case when chosen < 0.85 then (array['draft','confirmed','paid','shipped','cancelled'])[1 + floor(random() * 5)::int]
                    else status end
    where id = name returning version into next;
  end if;
  if next is null then
    perform bench.create_order(prefix || nextval('bench.orders_made'), clock_timestamp());
    return;
  end if;
  if chosen >= 0.99 then
    delete from public.order_items where order_id = name;
    delete from public.orders where id = name;
  elsif chosen >= 0.85 then
    if chosen < 0.95 then
      update public.order_items set quantity = quantity % 9 + 1, updated_at = clock_timestamp()
      where order_id = name and line = 1 + floor(random() * 3)::int;
    else
      delete from public.order_items where order_id = name and line = (select max(line) from public.order_items where order_id = name);
    end if;
    update public.orders o set subtotal_minor = s.total, total_minor = s.total
    from (select coalesce(sum(quantity * unit_price_minor), 0)::bigint as total
          from public.order_items where order_id = name) s
    where o.id = name;
  end if;
  insert into public.order_events (order_id, version, type, payload)
  values (name, next, 'OrderUpdated', jsonb_build_object('chosen', chosen));
end $$;

create procedure bench.fill(prefix text, orders integer) language plpgsql as $$
begin
  for n in 1..orders loop
    perform bench.create_order(prefix || nextval('bench.orders_made'), now() - random() * interval '90 days');
    if n % 200 = 0 then commit; end if;
  end loop;
end $$;

create procedure bench.run(prefix text, transactions integer) language plpgsql as $$
begin
  for n in 1..transactions loop
    perform bench.change(prefix);
    commit;
  end loop;
end $$`

const prefix = "w-"

/** Prepares the write side's database of a test system for the workload. */
export const installWorkload = async (source: pg.Pool): Promise<void> => {
  await source.query(schema)
}

/** Makes the orders that the stream then changes, 200 per transaction. */
export const fillBase = async (source: pg.Pool, orders: number): Promise<void> => {
  await source.query(`call bench.fill('${prefix}', ${orders})`)
}

/** Writes transactions as fast as the sessions can, each with its own seed. Commits do not wait for the disk. */
export const writeStream = async (
  source: pg.Pool,
  options: { transactions: number; sessions: number; seed: number },
): Promise<void> => {
  const share = Math.ceil(options.transactions / options.sessions)
  await Promise.all(
    Array.from({ length: options.sessions }, async (_, session) => {
      const client = await source.connect()
      try {
        await client.query("set synchronous_commit = off")
        await client.query("select setseed($1)", [((options.seed + session) % 1_000) / 1_000])
        await client.query(`call bench.run('${prefix}', ${share})`)
      } finally {
        client.release(true)
      }
    }),
  )
}

/** Writes one transaction of the workload and resolves once it has committed. */
export const writeOne = async (source: pg.Pool): Promise<void> => {
  await source.query({ name: "one transaction", text: "select bench.change($1)", values: [prefix] })
}
