// Part of step 1: which partitions are not fetched for now. The client keeps a partition paused over a rejoin, so this
// outlives the sessions of the intake.
import type { BackPressure } from "../assemble/back-pressure.ts"
import type { TopicReader } from "../kafka/kafka.ts"
import { type DataRecord, partitionKey, splitPartitionKey } from "../vocabulary/change.ts"

export type Pauses = {
  /** Stops fetching the partition of this record, or the commit log, until it is resumed. */
  pause: (record: DataRecord) => void
  pauseLog: () => void
  /** Goes on fetching the paused partitions, and the commit log, where this holds. */
  resumeWhere: (holds: Pick<BackPressure, "mayResume" | "mayResumeLog">) => void
  resumeAll: () => void
}

export function createPauses(
  readers: { data: TopicReader; log: TopicReader },
  commitLogTopic: string,
): Pauses {
  const paused = new Set<string>()
  let isLogPaused = false

  return {
    pause({ origin: { topic, partition } }) {
      paused.add(partitionKey(topic, partition))
      readers.data.pause(topic, partition)
    },
    pauseLog() {
      isLogPaused = true
      readers.log.pause(commitLogTopic, 0)
    },
    resumeWhere,
    resumeAll: () => resumeWhere({ mayResume: () => true, mayResumeLog: () => true }),
  }

  function resumeWhere(holds: Pick<BackPressure, "mayResume" | "mayResumeLog">): void {
    if (isLogPaused && holds.mayResumeLog()) {
      readers.log.resume(commitLogTopic, 0)
      isLogPaused = false
    }
    for (const partition of paused) {
      if (!holds.mayResume(partition)) continue
      readers.data.resume(...splitPartitionKey(partition))
      paused.delete(partition)
    }
  }
}
