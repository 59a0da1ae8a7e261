// Holds an answer against the service's own /openapi.json: its status, media type, problem type and headers must be
// those that the route names. What a route does not declare can therefore not be answered by it in any test.
import { z } from "zod"

/** An answer's parts that the document speaks of. `problem` is the `type` of a problem document. */
export type Answered = { status: number; headers: Headers; problem: string | null }

const answer = z.object({
  headers: z.record(z.string(), z.unknown()).default({}),
  content: z.record(z.string(), z.object({ schema: z.unknown() })).default({}),
})
const operation = z.object({ responses: z.record(z.string(), answer) })
const document = z.object({ paths: z.record(z.string(), z.record(z.string(), operation)) })

const namedTypes = z.object({
  allOf: z.array(
    z.object({ properties: z.object({ type: z.object({ enum: z.array(z.string()) }) }).optional() }),
  ),
})

/** What every answer over HTTP has, or what the socket, not the route, decides. */
const usualHeaders = new Set([
  "connection",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "transfer-encoding",
])

export type Documented = {
  /** What the answer has that the document does not name; empty when it is as documented, or no route was met. */
  faultsOf: (method: string, path: string, answered: Answered) => string[]
}

/** @param openapi the parsed document of the service that answers. */
export function createDocumented(openapi: unknown): Documented {
  const { paths } = document.parse(openapi)

  function operationOf(method: string, path: string) {
    const [plain = ""] = path.split("?")
    const found = Object.entries(paths)
      .filter(([template]) => new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(plain))
      .sort(([a], [b]) => a.split("{").length - b.split("{").length)[0]
    return found?.[1][method === "HEAD" ? "get" : method.toLowerCase()]
  }

  return {
    faultsOf(method, path, { status, headers, problem }) {
      const described = operationOf(method, path)?.responses
      if (!described) return []
      const one = described[status]
      const asked = `${method} ${path} answered ${status}`
      if (!one) return [`${asked} ${problem ?? ""}, which it does not name`]
      const faults = [...headers.keys()]
        .filter(
          (name) =>
            !usualHeaders.has(name) && !Object.keys(one.headers).some((own) => own.toLowerCase() === name),
        )
        .map((name) => `${asked} with the header ${name}, which it does not name`)
      const type = headers.get("content-type")
      if (type !== null && !(type in one.content)) faults.push(`${asked} as ${type}, which it does not name`)
      if (problem !== null) {
        const types = namedTypes.parse(one.content["application/problem+json"]?.schema).allOf
        if (!types.some(({ properties }) => properties?.type.enum.includes(problem))) {
          faults.push(`${asked} ${problem}, which it does not name`)
        }
      }
      return faults
    },
  }
}

/** Asks the service for its document and judges by it. @throws with every fault of an answer. */
export function createDocumentCheck(
  fetchDocument: () => Promise<unknown>,
): (method: string, path: string, status: number, headers: Headers, text: string) => Promise<void> {
  let documented: Promise<Documented> | undefined
  return async (method, path, status, headers, text) => {
    documented ??= fetchDocument().then(createDocumented)
    const isProblem = headers.get("content-type") === "application/problem+json" && text !== ""
    const problem = isProblem ? z.object({ type: z.string() }).parse(JSON.parse(text)).type : null
    const faults = (await documented).faultsOf(method, path, { status, headers, problem })
    if (faults.length > 0) throw new Error(faults.join("\n"))
  }
}
