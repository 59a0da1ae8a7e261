export type Machine = {
  readonly nodeVersion: string
  readonly stack: string | undefined
  readonly has: (command: string) => boolean
  readonly answerOf: (command: string, ...args: string[]) => string | undefined
}

export declare function complaints(machine: Machine): string[]
