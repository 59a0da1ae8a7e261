// Resources without rules beyond their columns': customers, products, discounts, shipping rules and tax rates. Each is a
// row with a version that rises with every change; a change locks the row, compares its version with `If-Match` and
// overwrites columns. No events follow.
import {
  type Insertable,
  type RawBuilder,
  type Selectable,
  sql,
  type Transaction,
  type Updateable,
} from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { accept, type Refused, type Result } from "../vocabulary/rejection.ts"
import { type IfMatch, refuseUnlessMatching } from "./if-match.ts"
import { ownXid } from "./own-xid.ts"

type Table = "customers" | "products" | "discounts" | "shipping_rules" | "tax_rates"
type Row<Name extends Table> = Selectable<CommandDatabase[Name]>

/** A row written by the transaction with this id. */
export type Saved<Name extends Table> = Row<Name> & { xid: string }

/** `ifMatch`: the versions that the client is willing to change. */
export type Change = { ifMatch: IfMatch | undefined; now: Date }

export type Versioned<Name extends Table> = {
  /** A key or another unique column in use shows as a violated constraint (see constraints.ts). */
  create: (
    trx: Transaction<CommandDatabase>,
    row: Insertable<CommandDatabase[Name]>,
    now: Date,
  ) => Promise<Saved<Name>>
  /** Overwrites the columns that `decide` names for the present row; undefined members are left out. */
  change: (
    trx: Transaction<CommandDatabase>,
    key: string,
    change: Change,
    decide: (present: Row<Name>) => Result<Updateable<CommandDatabase[Name]>>,
  ) => Promise<Result<Saved<Name>>>
  /** Takes the row away, and returns the transaction's id. */
  remove: (
    trx: Transaction<CommandDatabase>,
    key: string,
    ifMatch: IfMatch | undefined,
  ) => Promise<Result<string>>
}

export function versioned<Name extends Table>(options: {
  table: Name
  key: keyof CommandDatabase[Name] & string
  /**
   * The lock of a change. `no key update` lets commands that name the row at the same moment go on, `update` makes them
   * wait. Taking a row away always takes `update`.
   */
  lock: "update" | "no key update"
  missing: () => Refused
  /** Why this row takes no change, whatever its version. */
  refuseChange?: (present: Row<Name>) => Refused | undefined
}): Versioned<Name> {
  const { missing, refuseChange } = options
  const table = sql.table(options.table)
  const key = sql.ref(options.key)

  async function lock(trx: Transaction<CommandDatabase>, id: string, strength: "update" | "no key update") {
    const { rows } = await sql<Row<Name> & { version: number }>`
      select * from ${table} where ${key} = ${id} for ${sql.raw(strength)}`.execute(trx)
    return rows[0]
  }

  return {
    async create(trx, row, now) {
      const written = { ...row, created_at: now, updated_at: now }
      const { names, values } = columnsOf(written)
      return await onlyRow(
        sql<Saved<Name>>`insert into ${table} (${sql.join(names)}) values (${sql.join(values)})
          returning *, ${ownXid}`,
        trx,
      )
    },

    async change(trx, id, { ifMatch, now }, decide) {
      const present = await lock(trx, id, options.lock)
      if (!present) return missing()
      const refused = refuseChange?.(present) ?? refuseUnlessMatching(ifMatch, present.version)
      if (refused) return refused
      const decision = decide(present)
      if (!decision.ok) return decision
      const { names, values } = columnsOf(decision.value)
      const set = names.map((name, index) => sql`${name} = ${values[index]}, `)
      const saved = await onlyRow(
        sql<Saved<Name>>`update ${table}
          set ${sql.join(set, sql``)} version = version + 1, updated_at = ${now}
          where ${key} = ${id} returning *, ${ownXid}`,
        trx,
      )
      return accept(saved)
    },

    async remove(trx, id, ifMatch) {
      const present = await lock(trx, id, "update")
      if (!present) return missing()
      const mismatch = refuseUnlessMatching(ifMatch, present.version)
      if (mismatch) return mismatch
      const removed = sql<{ xid: string }>`delete from ${table} where ${key} = ${id} returning ${ownXid}`
      return accept((await onlyRow(removed, trx)).xid)
    },
  }
}

/** Names and values of the columns that are given; the others get their default, or stay. */
function columnsOf(row: object): { names: RawBuilder<unknown>[]; values: unknown[] } {
  const columns: [string, unknown][] = Object.entries(row)
  const given = columns.filter(([, value]) => value !== undefined)
  return { names: given.map(([name]) => sql.ref(name)), values: given.map(([, value]) => value) }
}

async function onlyRow<One>(statement: RawBuilder<One>, trx: Transaction<CommandDatabase>): Promise<One> {
  const { rows } = await statement.execute(trx)
  const [row] = rows
  if (!row) throw new Error("the row was not written")
  return row
}
