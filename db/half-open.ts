// A connection on which nothing comes back: the server is frozen, or something on the way drops every packet and
// tells nobody. The kernel gives such a connection up after a quarter of an hour or never, so it is given up here:
// either each statement has a limit of its own, or the owner of a pool breaks all its connections at once. A statement
// on a broken connection may have been done or not; only a new connection can tell.
import { Socket } from "node:net"
import type pg from "pg"

/**
 * Breaks the client's connection when a statement has no answer after `limitMs`; the statement then fails with code
 * ETIMEDOUT. COPY streams are left alone: they may well run for longer.
 */
export function limitAnswers(client: pg.Client, limitMs: number): void {
  const submit: unknown = Reflect.get(client, "query")
  if (!isCallable(submit)) return
  const send = (...args: unknown[]): unknown => Reflect.apply(submit, client, args)
  let givenUp: Error | null = null
  Object.assign(client, { query: limited })

  function limited(...args: unknown[]): unknown {
    const callback = args.at(-1)
    if (isCallable(callback)) return withCallback(args.slice(0, -1), callback)
    // A later statement on a broken connection, a rollback say, fails for the same reason.
    if (givenUp !== null) return Promise.reject(givenUp)
    const answer = send(...args)
    if (!(answer instanceof Promise)) return answer
    return new Promise((resolve, reject) => {
      const stop = startLimit(reject)
      answer.finally(stop).then(resolve, reject)
    })
  }

  function withCallback(args: readonly unknown[], callback: Callable): void {
    if (givenUp !== null) {
      setImmediate(callback, givenUp)
      return
    }
    const stop = startLimit(callback)
    send(...args, (...outcome: unknown[]) => stop() && callback(...outcome))
  }

  /** @returns how to stop it, which tells whether the time was not over yet. */
  function startLimit(fail: (error: Error) => void): () => boolean {
    let isRunning = true
    const timer = setTimeout(() => {
      isRunning = false
      givenUp = unanswered(limitMs)
      // With a statement under way this destroys the socket instead of waiting for the server's goodbye.
      void client.end()
      fail(givenUp)
    }, limitMs)
    return () => {
      clearTimeout(timer)
      const wasRunning = isRunning
      isRunning = false
      return wasRunning
    }
  }
}

type Callable = (...args: unknown[]) => unknown

const isCallable = (value: unknown): value is Callable => typeof value === "function"

function unanswered(limitMs: number): Error {
  const error = new Error(`Postgres did not answer within ${limitMs / 1_000} s; the connection is given up`)
  return Object.assign(error, { code: "ETIMEDOUT" })
}

export type Sockets = {
  /** A new socket, not connected yet. */
  open: () => Socket
  /** Destroys every socket that is open; statements on them fail at once. */
  breakAll: (reason: string) => void
}

/** The sockets of one pool, so that all its connections can be broken although no server answers on them. */
export function createSockets(): Sockets {
  const sockets = new Set<Socket>()
  return {
    open() {
      const socket = new Socket()
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
      return socket
    },
    breakAll(reason) {
      const error = Object.assign(new Error(`connection broken on purpose: ${reason}`), {
        code: "ECONNABORTED",
      })
      for (const socket of sockets) socket.destroy(error)
    },
  }
}
