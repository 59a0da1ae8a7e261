// Why a connector could not be registered. Each says what is wrong, why it matters and what to do next; the runbook
// (README.md) has the same under the symptom.

/** Registering now would lose or repeat history, or cannot work. Nothing was started. */
export class RegistrationRefused extends Error {
  override name = "RegistrationRefused"
  readonly nextStep: string

  constructor(message: string, nextStep: string) {
    super(message)
    this.nextStep = nextStep
  }
}

/** The connector was registered and does not work; `trace` is the worker's own stack trace, if it gave one. */
export class ConnectorNotRunning extends Error {
  override name = "ConnectorNotRunning"
  readonly nextStep: string
  readonly trace: string | null

  constructor(message: string, nextStep: string, trace: string | null) {
    super(message)
    this.nextStep = nextStep
    this.trace = trace
  }
}

/** The first lines of a worker's trace that say something: the exceptions with their causes, without the stack. */
export function summarizeTrace(trace: string, lines = 8): string {
  return trace
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^\s*(at |\.\.\. \d+ more)/.test(line))
    .slice(0, lines)
    .join("\n")
}
