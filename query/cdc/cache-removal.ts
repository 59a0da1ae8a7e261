// Finds cached answers by what they are about, whatever cache epoch and generation they belong to. Nothing serves those
// of former epochs, and each ends within an hour; what must not be kept that long is removed here.
import type { Logger } from "pino"
import { keyOfValue, valuesOf } from "./cache-layout.ts"
import type { RedisLink, RedisSession } from "./redis-session.ts"

type Redis = RedisSession["redis"]

export type AnswerRemoval = {
  /**
   * Removes the answers under these keys from every cache epoch. Goes on beside the caller; where Redis is away, those
   * of former epochs end by themselves.
   */
  forget(keys: readonly string[]): void
}

export function createAnswerRemoval(deps: {
  link: Pick<RedisLink, "session">
  source: string
  log: Logger
}): AnswerRemoval {
  const { link, source, log } = deps
  return {
    forget(keys) {
      const session = link.session()
      if (!session) return
      removeAnswers(session.redis, source, new Set(keys)).catch((error: unknown) => {
        log.warn({ err: error, source }, "answers of former cache epochs are left to end by themselves")
      })
    },
  }
}

const namesAtOnce = 1_000

/** Names of the values under these keys. */
export async function findAnswers(
  redis: Redis,
  source: string,
  keys: ReadonlySet<string>,
): Promise<string[]> {
  const found = new Set<string>()
  if (keys.size === 0) return []
  const scan = redis.scanStream({ match: valuesOf(source), count: namesAtOnce })
  for await (const names of scan) {
    for (const name of names) if (keys.has(keyOfValue(source, name) ?? "")) found.add(name)
  }
  return [...found]
}

/** A value is never stored into a former epoch, so what is removed of those stays away. */
async function removeAnswers(redis: Redis, source: string, keys: ReadonlySet<string>): Promise<void> {
  const names = await findAnswers(redis, source, keys)
  if (names.length > 0) await redis.unlink(names)
}
