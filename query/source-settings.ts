// Several sources as one setting: a JSON array, given as text. Sources must differ in everything that names them to
// other systems. An error names the path of a faulty value and never the value, because values hold passwords.
import { z } from "zod"

/** The name is part of tokens, cache keys and paths. */
export const sourceNameSchema = z
  .string()
  .max(60)
  .regex(/^[A-Za-z0-9_-]+$/, "only letters, digits, _ and - may be used")

export const topicPrefixSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]+$/, "only letters, digits, _ and - may be used")

export const postgresUrl = z.url({ protocol: /^postgres(ql)?$/ })
export const httpUrl = z.url({ protocol: /^https?$/ })

const projectedSource = z.strictObject({
  name: sourceNameSchema,
  /** The source's database, as role base_loader. */
  databaseUrl: postgresUrl,
  connectorName: z.string().min(1),
  topicPrefix: topicPrefixSchema,
  /** The source's Kafka Connect, if it is another than CONNECT_URL. */
  connectUrl: httpUrl.optional(),
})

/** A source with the settings that its projector needs. */
export type ProjectedSource = {
  /** Name of the source in tokens, cache keys, paths and progress; its command service must use the same name. */
  name: string
  /** Role with REPLICATION on the write side's database: base loads read an exported snapshot. */
  databaseUrl: string
  connectorName: string
  topicPrefix: string
  connectUrl: string
}

type Parsed =
  | { ok: true; sources: { names: string[]; projected: ProjectedSource[] } }
  | { ok: false; fault: string }

/** @param connectUrl is the Kafka Connect of sources that name none. */
export function parseSources(text: string, connectUrl: string): Parsed {
  const list = listOf(projectedSource, {
    name: ({ name }) => name,
    topicPrefix: ({ topicPrefix }) => topicPrefix,
    databaseUrl: ({ databaseUrl }) => databaseUrl,
    connectorName: ({ connectorName, connectUrl: own }) => `${connectorName} ${own ?? connectUrl}`,
  })
  const parsed = list.safeParse(text)
  if (!parsed.success) return faulty(parsed.error)
  const projected = parsed.data.map((source) => ({ ...source, connectUrl: source.connectUrl ?? connectUrl }))
  return { ok: true, sources: { names: projected.map(({ name }) => name), projected } }
}

/** The part of the same setting that an instance without a projector needs: the names. */
export function parseNames(text: string): Parsed {
  const list = listOf(projectedSource.partial().required({ name: true }), { name: ({ name }) => name })
  const parsed = list.safeParse(text)
  if (!parsed.success) return faulty(parsed.error)
  return { ok: true, sources: { names: parsed.data.map(({ name }) => name), projected: [] } }
}

const faulty = (error: z.ZodError): Parsed => ({ ok: false, fault: `In SOURCES:\n${z.prettifyError(error)}` })

/** A JSON array of at least one source. `unique` takes a value per field; no two sources may have the same value. */
function listOf<Source>(source: z.ZodType<Source>, unique: Record<string, (source: Source) => string>) {
  const list = z
    .array(source)
    .min(1)
    .superRefine((sources, context) => {
      for (const [field, take] of Object.entries(unique)) {
        const values = sources.map(take)
        values.forEach((value, index) => {
          if (values.indexOf(value) === index) return
          const message = "must differ from the other sources'"
          context.addIssue({ code: "custom", message, path: [index, field] })
        })
      }
    })
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text)
      } catch {
        context.addIssue({ code: "custom", message: 'must be JSON: [{"name": .., ..}, ..]' })
        return z.NEVER
      }
    })
    .pipe(list)
}
