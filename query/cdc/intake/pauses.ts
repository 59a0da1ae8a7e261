// Part of step 1 (fetch): which partitions are not fetched for now. The client keeps a partition paused over a rejoin,
// so this outlives the sessions of a flow. Pure: the reader of the topics is told the difference to before.

/** Partitions, as `topic/partition`, that the reader is to fetch no longer, or again. */
export type PauseChanges = { pause: readonly string[]; resume: readonly string[] }

export class Pauses {
  readonly #paused = new Set<string>()
  /** The partitions that the reader has been told to pause. */
  #told: ReadonlySet<string> = new Set()

  pause(partition: string): void {
    this.#paused.add(partition)
  }

  /** Goes on with the paused partitions for which this holds. */
  resumeWhere(mayResume: (partition: string) => boolean): void {
    for (const partition of this.#paused) if (mayResume(partition)) this.#paused.delete(partition)
  }

  resumeAll(): void {
    this.#paused.clear()
  }

  /** What the reader is to do since this was last asked; null when nothing. */
  takeChanges(): PauseChanges | null {
    if (this.#paused.size === 0 && this.#told.size === 0) return null
    const pause = [...this.#paused].filter((partition) => !this.#told.has(partition))
    const resume = [...this.#told].filter((partition) => !this.#paused.has(partition))
    if (pause.length === 0 && resume.length === 0) return null
    this.#told = new Set(this.#paused)
    return { pause, resume }
  }
}
