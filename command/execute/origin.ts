// When a command came and whose request it came with: kept beside its event, so that an answer leads to its cause.

export type Origin = {
  requestId: string
  /** W3C trace context of the caller, if it sent a well-formed one. */
  traceparent: string | null
}

export type CommandContext = { now: Date; origin: Origin }

const traceparentForm = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

export function originOf(requestId: string, traceparent: string | undefined): Origin {
  return { requestId, traceparent: traceparentForm.test(traceparent ?? "") ? (traceparent ?? null) : null }
}
