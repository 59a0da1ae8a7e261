import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createCommandDatabase, createQueryDatabase, type TestDatabase } from "./databases.ts"

const ask = async (connectionString: string, query: string): Promise<unknown> => {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return (await client.query({ text: query, rowMode: "array" })).rows
  } finally {
    await client.end()
  }
}

describe("a test's own databases", () => {
  let command: TestDatabase
  let query: TestDatabase

  beforeAll(async () => {
    ;[command, query] = await Promise.all([createCommandDatabase("own"), createQueryDatabase("own")])
  })

  afterAll(async () => {
    await Promise.all([command?.drop(), query?.drop()])
  })

  test("hold the migrated tables and nothing in them", async () => {
    expect(await ask(command.adminUrl, "select count(*)::int from orders")).toEqual([[0]])
    expect(await ask(query.adminUrl, "select count(*)::int from pg_namespace where nspname = 'cdc'")).toEqual(
      [[1]],
    )
  })

  test("let every role in with the stack's password", async () => {
    for (const role of ["command_app", "capture", "base_loader"] as const) {
      expect(await ask(command.urlAs(role), "select current_user::text")).toEqual([[role]])
    }
    for (const role of ["projector", "reader"] as const) {
      expect(await ask(query.urlAs(role), "select current_user::text")).toEqual([[role]])
    }
  })

  test("are gone after drop, even with a replication slot in them", async () => {
    const other = await createCommandDatabase("dropped")
    await ask(other.adminUrl, `select pg_create_logical_replication_slot('${other.name}', 'pgoutput')::text`)
    await other.drop()
    expect(
      await ask(command.adminUrl, `select datname from pg_database where datname = '${other.name}'`),
    ).toEqual([])
  })
})
