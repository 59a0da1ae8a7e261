// The errors of registering a connector. Each error says the fault, why the fault matters and the next step; the runbook
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

/** The connector was registered and does not work; `trace` is the worker's own stack trace, if the worker gave it. */
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

/** The first useful lines of a worker's trace: the exceptions with their causes, without the stack. */
export function summarizeTrace(trace: string, lines = 8): string {
  return trace
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^\s*(at |\.\.\. \d+ more)/.test(line))
    .slice(0, lines)
    .join("\n")
}
