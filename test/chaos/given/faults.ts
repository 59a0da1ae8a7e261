// What goes wrong during a run: processes die without warning, at the worst moment that chance finds.
import { setTimeout as sleep } from "node:timers/promises"
import type { Part } from "../../stack/native/process.ts"
import type { Random } from "../../support/random.ts"
import type { ServiceProcess } from "../../support/service-process.ts"

/**
 * Kills Connect while it sends a big transaction, which is when its topic grows fast; sometimes again while it
 * recovers. `countSent` tells how many records the topic holds. Goes on beyond `kills`, within limits, until
 * `hasMetOne` says that a crash came to lie inside a transaction.
 */
export async function killConnectRepeatedly(
  connect: Part,
  countSent: () => Promise<number>,
  random: Random,
  kills: number,
  hasMetOne: () => boolean,
): Promise<void> {
  for (let killed = 0; killed < kills || (killed < 3 * kills && !hasMetOne()); killed++) {
    await growsFast(countSent, 3_000)
    await sleep(random.below(60))
    await connect.kill()
    await connect.start()
    // Mostly again as soon as it catches up, when it sends without a pause and every kill lies inside something.
    if (random.chance(0.3)) await sleep(1_500 + random.below(2_000))
  }
}

/** Resolves in the middle of a burst of records, or after the limit. */
async function growsFast(countSent: () => Promise<number>, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs
  let before = await countSent()
  while (Date.now() < deadline) {
    const now = await countSent()
    if (now - before >= burstRecords) return
    before = now
  }
}

const burstRecords = 50

/** Kills the projector between any two of its steps and starts it again. */
export async function killProjectorRepeatedly(
  query: ServiceProcess,
  random: Random,
  kills: number,
): Promise<void> {
  for (let killed = 0; killed < kills; killed++) {
    await sleep(2_000 + random.below(6_000))
    await query.kill()
    await sleep(random.below(1_500))
    await query.start()
  }
}
