// Preflight: what a migration is judged against. The connector's settings say which tables are captured through which
// publication, the projections say which of their columns are read, and as what.
import { z } from "zod"
import type { Column, ColumnType } from "../cdc/projection/columns.ts"
import { tablesRead } from "../cdc/projection/heartbeat.ts"
import type { Projections } from "../cdc/projection/projection.ts"

export const connectorSettings = z.object({
  "publication.name": z.string().min(1),
  "table.include.list": z.string().min(1),
  "signal.data.collection": z.string().optional(),
})

export type CapturedTable = {
  /** Schema and name. */
  name: string
  key: readonly string[]
  /** Columns that are read, the key among them; none of a table that is captured for others. */
  columns: ReadonlyMap<string, ColumnType>
}

export type Captured = {
  publication: string
  tables: ReadonlyMap<string, CapturedTable>
  /** Published for the connector itself and not captured. */
  signalTable: string | null
}

export function describeCapture(
  settings: z.infer<typeof connectorSettings>,
  projections: Projections,
): Captured {
  const read = new Map(tablesRead(projections).map((table) => [`public.${table.name}`, table]))
  const tables = settings["table.include.list"].split(",").map((entry): CapturedTable => {
    const name = entry.trim()
    const table = read.get(name)
    return {
      name,
      key: table?.key.map((column) => column.name) ?? [],
      columns: new Map([...(table?.key ?? []), ...(table?.columns ?? [])].map(nameAndType)),
    }
  })
  return {
    publication: settings["publication.name"],
    tables: new Map(tables.map((table) => [table.name, table])),
    signalTable: settings["signal.data.collection"] ?? null,
  }
}

const nameAndType = ({ name, type }: Column) => [name, type] as const
