// Every command runs through here: one SQL transaction around the command's work and, if the request is keyed,
// around its stored answer; then the consistency token, which needs the commit behind it.
import { ExponentialBackoff, handleWhen, retry, TimeoutStrategy, timeout, wrap } from "cockatiel"
import type { Kysely, Transaction } from "kysely"
import type { Logger } from "pino"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { isConflict, isUnavailable } from "../../db/errors.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"
import { tokenOf } from "./consistency-token.ts"
import { rejectionOf } from "./constraints.ts"
import { type Answer, claimKey, fingerprintOf, storeAnswer } from "./idempotency.ts"

/** The answer to a command, the id of the transaction that did it, and of which customer the answer speaks. */
export type Done = { answer: Answer; xid: string; customerId: string | null }

/** A command's work: writes through the transaction and says the answer, or refuses and has written nothing. */
export type Work = (trx: Transaction<CommandDatabase>) => Promise<Result<Done>>

/** A request with an Idempotency-Key. Two requests are the same if all of this is equal. */
export type KeyedRequest = { key: string; method: string; path: string; body: string }

export type Executed = {
  answer: Answer
  /** Undefined if Postgres went away right after the commit; the command is done nevertheless. */
  token: string | undefined
  replayed: boolean
}

/** Both throw an error that `isUnavailable` recognises if the database cannot serve, `OutcomeUnknown`, or a fault of ours. */
export type Executor = {
  /** Does the work. */
  execute: (work: Work) => Promise<Result<Executed>>
  /** Does the work once for this request; the same request again gets the stored answer. */
  executeKeyed: (request: KeyedRequest, work: Work) => Promise<Result<Executed>>
}

/** The connection was lost during COMMIT: nobody can know whether the command took place. */
export class OutcomeUnknown extends Error {
  constructor(cause: unknown) {
    super("the connection was lost while committing", { cause })
  }
}

// Thrown to make Kysely roll back, and caught again below.
class RollBack extends Error {
  readonly refused: Refused
  constructor(refused: Refused) {
    super(refused.rejection.code)
    this.refused = refused
  }
}

type Committed = Omit<Done, "customerId"> & { replayed: boolean }
type Step = (trx: Transaction<CommandDatabase>) => Promise<Committed>

/** The command is done then; its answer must not wait for long to say where. */
const tokenLimitMs = 3_000

export function createExecutor(options: {
  db: Kysely<CommandDatabase>
  /** Name of this database in tokens. */
  source: string
  logger: Logger
}): Executor {
  const { db, source, logger } = options
  const again = retry(handleWhen(isConflict), {
    maxAttempts: 5,
    backoff: new ExponentialBackoff({ initialDelay: 10, maxDelay: 500 }), // jittered by default
  })
  const tokenAgain = wrap(
    timeout(tokenLimitMs, TimeoutStrategy.Aggressive),
    retry(handleWhen(isUnavailable), {
      maxAttempts: 3,
      backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 200 }),
    }),
  )

  async function run(step: Step): Promise<Result<Executed>> {
    let committed: Committed
    try {
      committed = await again.execute(() => commit(db, step))
    } catch (error) {
      const refused = error instanceof RollBack ? error.refused : rejectionOf(error)
      if (refused) return refused
      throw error
    }
    const { answer, xid, replayed } = committed
    const token = await tokenAgain
      .execute(() => tokenOf(db, source, xid))
      .catch((error: unknown) => {
        logger.warn({ err: error, xid }, "an accepted command is answered without a consistency token")
        return undefined
      })
    return accept({ answer, token, replayed })
  }

  return {
    execute: (work) => run((trx) => doWork(trx, work)),
    executeKeyed: (request, work) => run((trx) => answerOnce(trx, request, work)),
  }
}

async function commit(db: Kysely<CommandDatabase>, step: Step): Promise<Committed> {
  let committing = false
  try {
    return await db.transaction().execute(async (trx) => {
      const done = await step(trx)
      committing = true
      return done
    })
  } catch (error) {
    // A conflict is Postgres' own word that nothing was committed.
    const isUnknown = committing && isUnavailable(error) && !isConflict(error)
    throw isUnknown ? new OutcomeUnknown(error) : error
  }
}

async function answerOnce(
  trx: Transaction<CommandDatabase>,
  { key, method, path, body }: KeyedRequest,
  work: Work,
): Promise<Committed> {
  const claim = await claimKey(trx, key, fingerprintOf(method, path, body))
  if (claim.state === "answered") return { answer: claim.answer, xid: claim.xid, replayed: true }
  if (claim.state === "other-request") throw new RollBack(keyReused())
  const done = await doWork(trx, work)
  await storeAnswer(trx, key, done.answer, done.customerId)
  return done
}

async function doWork(trx: Transaction<CommandDatabase>, work: Work): Promise<Done & { replayed: boolean }> {
  const result = await work(trx)
  if (!result.ok) throw new RollBack(result)
  return { ...result.value, replayed: false }
}

function keyReused(): Refused {
  return refuse(
    "idempotency-key-reused",
    "This Idempotency-Key belongs to another request. Use a new key for a new request.",
  )
}
