// Waits for the head of the line. A transaction whose rows are not all here is nothing unusual for some hundred
// milliseconds; one that a crash of the connector lies inside, or that has waited longer, needs the proof
// (proof.ts) that everything of it has been read. Nothing here ever gives up: it says what it waits for.
import type { Logger } from "pino"
import type { EndOffsets } from "../vocabulary/change.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"
import type { Head, Next } from "./head.ts"
import { createProof, type FetchCommittedLsn, type Proof, type Proven, type Reading } from "./proof.ts"

/** How long an undisturbed transaction may miss rows before a proof is asked for. */
const patienceMs = 1_000
const proofPauseMs = 50
/** Heartbeats come twice a second; this long without any entry means that capture has stopped. */
const silenceMs = 10_000

export type PatienceDeps = {
  fetchCommittedLsn: FetchCommittedLsn
  /** Where the topics end now. */
  endOffsets: () => Promise<EndOffsets>
  log: Logger
}

export function createPatience(deps: PatienceDeps) {
  let waiting: { head: Head | null; since: number; proof: Proof | null; asking: boolean } | null = null
  let lastHeard = performance.now()
  let disturbed = 0
  let disturbedHead: Lsn | null = null

  return {
    /** The commit log or a table said something. */
    heard(): void {
      lastHeard = performance.now()
    },

    /** Takes what the assembler answered. */
    note(next: Next): void {
      const head = "head" in next ? next.head : null
      // Whether a crash lies inside it may show only with its last rows.
      if (head?.disturbed && head.commitLsn !== disturbedHead) noteDisturbed(head)
      // While rows are being staged they are coming: what is missing can be told when all that are here are staged.
      if (next.state !== "waiting-for-rows" && next.state !== "waiting-for-end") {
        waiting = null
        return
      }
      if (waiting && waiting.head?.commitLsn === head?.commitLsn) {
        waiting.head = head
        return
      }
      waiting = { head, since: performance.now(), proof: null, asking: false }
    },

    /** Forgets what was waited for. */
    reset(): void {
      waiting = null
      lastHeard = performance.now()
    },

    /** Works on the proof if one is needed. Resolves to how much has been read, up to which transaction. */
    async prove(reading: Reading): Promise<{ head: Head; commitLsn: Lsn; proven: Proven } | null> {
      const mine = waiting
      const head = mine?.head
      if (!mine || !head || mine.asking) return null
      if (!head.needsProof && performance.now() - mine.since < patienceMs) return null
      mine.proof ??= createProof(head.commitLsn, deps.fetchCommittedLsn, deps.endOffsets)
      mine.asking = true
      try {
        const proven = await mine.proof.step(reading)
        return { head, commitLsn: proven === "everything" ? mine.proof.coversUpTo() : head.commitLsn, proven }
      } catch (error) {
        // Connect or Kafka may be down: the proof waits for them, and the status says for what it waits.
        deps.log.debug({ err: error }, "the proof has to wait")
        return null
      } finally {
        setTimeout(() => {
          mine.asking = false
        }, proofPauseMs)
      }
    },

    /** What is waited for, in words; null when there is nothing to tell. */
    describe(): string | null {
      const head = waiting?.head
      if (waiting && head && (head.needsProof || performance.now() - waiting.since >= patienceMs)) {
        const what = head.needsProof
          ? "the proof that it is whole"
          : `rows (${head.received} of ${head.expected} are here)`
        return `transaction ${head.xid} (${formatLsn(head.commitLsn)}) has waited ${seconds(waiting.since)} s for ${what}`
      }
      if (performance.now() - lastHeard > silenceMs) {
        return `capture has been silent for ${seconds(lastHeard)} s; is the connector running?`
      }
      return null
    },

    /** How many transactions had a crash of the connector inside. */
    disturbed: (): number => disturbed,
  }

  function noteDisturbed(head: Head): void {
    disturbed++
    disturbedHead = head.commitLsn
    const { xid, expected, received } = head
    deps.log.info(
      { code: "disturbed", xid, commitLsn: formatLsn(head.commitLsn), expected, received },
      "a crash of the connector lies inside this transaction; only a proof tells whether it is whole",
    )
  }
}

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1)
