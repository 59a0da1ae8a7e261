// The one rule between the program and the JSON that it stores: `unitPriceMinor: 2999n` is stored as
// `"unit_price_minor": "2999"`. Names are in camelCase here and in snake_case there; an amount is a decimal text,
// because a reader's JSON parser would round a large number. A schema of this file reads the stored form, and
// `writerOf` makes from the same schema the function that writes it. Zod's own codecs write too, but check again what
// the program made, which took six times as long for an order of two lines.
import { z } from "zod"

type Json = Record<string, unknown>
type Write = (value: unknown) => unknown

/** How values of a schema are written, if not as they are. */
const writers = new WeakMap<object, Write>()

/** A schema that reads, together with the way back. */
export function readAndWrite<Schema extends z.ZodType>(schema: Schema, write: Write): Schema {
  writers.set(schema, write)
  return schema
}

/** An amount in minor units, or another whole number that may be large; never negative. */
export const wholeNumber = readAndWrite(z.string().regex(/^\d+$/).transform(BigInt), String)

export const moment = readAndWrite(
  z.iso.datetime().transform((text) => new Date(text)),
  (value) => (value instanceof Date ? value.toISOString() : value),
)

/**
 * Members without a name of their own in the stored object: their members stand there instead. Example: with `item`
 * spread, `{ item: { line: 1 }, note: "n" }` is stored as `{ "line": 1, "note": "n" }`. A text instead of true is a name
 * that the stored object has if the spread member is there.
 */
export type Spread<Shape> = { [Name in keyof Shape]?: true | string }

/** An object with these members, stored in their order. */
export function stored<Shape extends z.core.$ZodLooseShape>(shape: Shape, spread: Spread<Shape> = {}) {
  const { read, write } = renaming(shape, spread)
  const schema = z.custom<Json>(isObject).transform(read).pipe(z.object(shape))
  return readAndWrite(schema, write)
}

/** The same with a member `type`, by which a union of such objects is told apart; it is not written. */
export function storedAs<Type extends string, Shape extends z.core.$ZodLooseShape>(
  type: Type,
  shape: Shape,
  spread: Spread<Shape> = {},
) {
  const { read, write } = renaming(shape, spread)
  const tag = { type: z.literal(type) }
  const schema = z
    .looseObject(tag)
    .transform((row): Json => ({ type, ...read(row) }))
    .pipe(z.object({ ...tag, ...shape }))
  return readAndWrite(schema, write)
}

/** The function that writes values of the schema; its argument must be such a value. */
export function writerOf(schema: z.core.$ZodType): Write {
  const own = writers.get(schema)
  if (own) return own
  if (schema instanceof z.ZodArray) return writeEach(writerOf(schema.element))
  const isWrapper =
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodExactOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly
  return isWrapper ? writeIfAny(writerOf(schema.unwrap())) : writeAsIs
}

const writeAsIs: Write = (value) => value
const writeEach = (write: Write): Write =>
  write === writeAsIs ? write : (values) => (Array.isArray(values) ? values.map(write) : values)
const writeIfAny = (write: Write): Write =>
  write === writeAsIs ? write : (value) => (value === null || value === undefined ? value : write(value))

/** How the members go by their stored names. A member that is not there has no name either: JSON has no undefined. */
function renaming<Shape extends z.core.$ZodLooseShape>(shape: Shape, spread: Spread<Shape>) {
  const members = Object.entries<z.core.$ZodType>(shape).map(([name, schema]) => ({
    name,
    storedName: snakeCase(name),
    spread: spread[name],
    write: writerOf(schema),
  }))

  function read(row: Json): Json {
    const found: Json = {}
    for (const { name, storedName, spread } of members) {
      const isThere = typeof spread === "string" ? spread in row : spread || storedName in row
      if (isThere) found[name] = spread ? row : row[storedName]
    }
    return found
  }

  function write(value: unknown): Json {
    const row: Json = {}
    if (!isObject(value)) return row
    for (const { name, storedName, spread, write } of members) {
      const written = write(value[name])
      if (spread) Object.assign(row, written)
      else if (written !== undefined) row[storedName] = written
    }
    return row
  }

  return { read, write }
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
