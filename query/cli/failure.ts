// How a verb that failed says so: the message and, where the error knows it, the next step.
import { UnusableSettings } from "./settings.ts"

/** Prints the failure, with `json` as an object on standard output; answers the exit code. */
export function reportFailure(error: unknown, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error)
  const nextStep = nextStepOf(error)
  if (json) console.log(JSON.stringify({ error: message, nextStep }, null, 2))
  else console.error(nextStep === null ? message : `${message}\nWhat next: ${nextStep}`)
  return error instanceof UnusableSettings ? 2 : 1
}

const nextStepOf = (error: unknown): string | null =>
  error instanceof Error && "nextStep" in error && typeof error.nextStep === "string" ? error.nextStep : null
