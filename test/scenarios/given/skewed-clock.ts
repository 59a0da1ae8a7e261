// A clock that is wrong: arguments for node that shift what `Date` says in a process from its first line on. Monotonic
// time and timers are left as they are, as on a machine whose clock was set.

/** `byMs` is added to every present time that the process asks for. */
export const skewedClock = (byMs: number): string[] => [
  "--import",
  `data:text/javascript,${encodeURIComponent(preload(byMs))}`,
]

const preload = (byMs: number): string => `
  const True = Date
  globalThis.Date = new Proxy(True, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [True.now() + ${byMs}] : args, newTarget),
    get: (target, name) => (name === "now" ? () => True.now() + ${byMs} : Reflect.get(target, name)),
  })
`
