// Notes where the topics stand before a snapshot is taken: the end of every data partition, and the last END of the
// commit log, which is the first link of the chain that the new generation follows.

import type { StartOffsets } from "./base-load.ts"
import type { Decoder } from "./decode.ts"
import type { KafkaAccess } from "./kafka.ts"

const tailRecords = 500
const pollMs = 250

/** Waits until the commit log holds an END: capture must run before a base can be loaded. */
export async function noteStartOffsets(options: {
  kafka: KafkaAccess
  decoder: Decoder
  commitLogTopic: string
  dataTopics: readonly string[]
  signal: AbortSignal
}): Promise<StartOffsets> {
  for (;;) {
    options.signal.throwIfAborted()
    const ranges = await options.kafka.offsetRanges(options.dataTopics)
    const tail = await options.kafka.readTail(options.commitLogTopic, tailRecords)
    for (const raw of tail.toReversed()) {
      const entry = await options.decoder.decodeEntry(raw)
      if (entry.status !== "END") continue
      return {
        lastEnd: entry.commitLsn,
        lastEndOffset: entry.offset,
        endOffsets: new Map([...ranges].map(([partition, { high }]) => [partition, high])),
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}
