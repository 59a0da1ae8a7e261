// A conflict that Postgres tells of only when a command commits: nothing was committed, so the command is tried again.
import { sql } from "kysely"
import { beforeAll, expect, test } from "vitest"
import { givenService } from "../given/running-service.ts"

const service = givenService()

beforeAll(async () => {
  // A sequence goes on when its transaction is rolled back, so only the first attempt is refused.
  await sql`
    create sequence attempts;
    create function refuse_first() returns trigger language plpgsql security definer as $$
    begin
      if nextval('attempts') = 1 then raise exception 'in the way' using errcode = '40001'; end if;
      return null;
    end $$;
    create constraint trigger refuse_first after insert on orders deferrable initially deferred
      for each row execute function refuse_first()`.execute(service.db)
})

test("a serialization failure of COMMIT is no unknown outcome", async () => {
  const order = { customer_id: "customer-123", items: [{ product_id: "product-456", quantity: 1 }] }
  const answer = await service.call("POST", "/orders", order)
  expect(answer.status).toBe(201)
  const { rows } = await sql<{ orders: bigint; attempts: bigint }>`
    select (select count(*) from orders) as orders, (select last_value from attempts) as attempts`.execute(
    service.db,
  )
  expect(rows).toEqual([{ orders: 1n, attempts: 2n }])
})
