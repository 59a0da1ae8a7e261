// Finds cached answers by their keys in all cache epochs and generations. No reader serves answers of former epochs,
// and each of them ends within an hour; answers that must not be kept that long (erased data) are removed here.
import type { Logger } from "pino"
import { keyOfValue, valuesOf } from "./layout.ts"
import type { RedisLink, RedisSession } from "./redis-session.ts"

type Redis = RedisSession["redis"]

export type AnswerRemoval = {
  /**
   * Has the answers under these keys, or all answers of the source, removed from every cache epoch once the transaction
   * that makes them stale is committed: until then a reader may store one more. The caller does not wait for the
   * removal. Where Redis is away, answers of former epochs end by themselves.
   */
  forget(keys: readonly string[] | "all"): void
}

export function createAnswerRemoval(deps: {
  link: Pick<RedisLink, "session">
  source: string
  log: Logger
}): AnswerRemoval & { removeForgotten(): void } {
  const { link, source, log } = deps
  let forgotten: Set<string> | "all" = new Set()
  return {
    forget(keys) {
      if (keys === "all" || forgotten === "all") forgotten = "all"
      else for (const key of keys) forgotten.add(key)
    },
    /** To be called when no stale answer is stored any more; after a rollback, removed answers are only read anew. */
    removeForgotten() {
      const keys = forgotten
      forgotten = new Set()
      const session = link.session()
      if (!session) return
      removeAnswers(session.redis, source, keys).catch((error: unknown) => {
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
  for await (const names of scanAnswers(redis, source, keys)) for (const name of names) found.add(name)
  return [...found]
}

/** Yields the names of these values; a name may come twice. */
async function* scanAnswers(
  redis: Redis,
  source: string,
  keys: ReadonlySet<string> | "all",
): AsyncGenerator<string[]> {
  if (keys !== "all" && keys.size === 0) return
  const scan: AsyncIterable<string[]> = redis.scanStream({ match: valuesOf(source), count: namesAtOnce })
  for await (const names of scan) {
    yield names.filter((name) => {
      const key = keyOfValue(source, name)
      return key !== null && (keys === "all" || keys.has(key))
    })
  }
}

/** A value is never stored into a former epoch, so a value that is removed from a former epoch stays away. */
async function removeAnswers(redis: Redis, source: string, keys: ReadonlySet<string> | "all"): Promise<void> {
  for await (const names of scanAnswers(redis, source, keys)) {
    if (names.length > 0) await redis.unlink(names)
  }
}
