// What goes wrong during a run: processes die without warning, at the worst moment that chance finds.
import { setTimeout as sleep } from "node:timers/promises"
import type { Part } from "../stack/native/process.ts"
import type { ServiceProcess } from "../support/service-process.ts"
import type { Random } from "./random.ts"
import type { Writers } from "./writers.ts"

/** Kills Connect shortly after big transactions commit, while it sends them; sometimes again while it recovers. */
export async function killConnectRepeatedly(
  connect: Part,
  writers: Writers,
  random: Random,
  kills: number,
): Promise<void> {
  for (let killed = 0; killed < kills; killed++) {
    await Promise.race([nextBigCommit(writers), sleep(4_000)])
    await sleep(random.below(160))
    await connect.kill()
    await connect.start()
    await sleep(random.chance(0.4) ? 200 + random.below(1_500) : 2_000 + random.below(2_500))
  }
}

const nextBigCommit = (writers: Writers): Promise<void> =>
  new Promise((resolve) => writers.onBigCommit(resolve))

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
