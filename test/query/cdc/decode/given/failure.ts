// The error of the engine that a piece of work ends with.
import { EngineError } from "../../../../../query/cdc/vocabulary/errors.ts"

/** @throws whatever else the work ends with, also when it succeeds. */
export async function failureOf(work: Promise<unknown>): Promise<EngineError> {
  const failure = await work.then(
    () => new Error("it should have failed"),
    (error: unknown) => error,
  )
  if (failure instanceof EngineError) return failure
  throw failure
}
