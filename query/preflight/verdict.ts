// Preflight: what is said of a statement. Five levels: it changes nothing that is read (ok), it does with something to
// know (notice), the projector will stop and lose nothing (halts), the read side will differ without noticing (loses),
// or it cannot be told from the file (unknown).

export type Level = "ok" | "notice" | "halts" | "loses" | "unknown"

export type Verdict = {
  level: Level
  what: string
  connector: string
  registry: string
  projector: string
  cache: string
  /** What a person should do; null when there is nothing. */
  next: string | null
}

const untouched = { connector: "goes on", registry: "nothing new", projector: "goes on", cache: "goes on" }
const answersStand = "answers stay as they are and grow older"

/** Not captured, or of no concern to anybody who reads. */
export const ok = (what: string): Verdict => ({ level: "ok", what, ...untouched, next: null })

export const notice = (what: string, next: string | null = null): Verdict => ({
  level: "notice",
  what,
  ...untouched,
  next,
})

/** Records from then on have another form, which nothing that is read minds. */
export const otherForm = (level: "ok" | "notice", what: string, next: string | null = null): Verdict => ({
  level,
  what,
  connector: "sends the new form with the next change of the table",
  registry: "gets a new schema; a compatibility rule, if one is set, must allow it",
  projector: "goes on: it reads the columns it knows and ignores others",
  cache: "goes on",
  next,
})

/** The projector stops before the first transaction that has such a record. */
export const halts = (what: string, next: string): Verdict => ({
  level: "halts",
  what,
  connector: "sends the new form with the next change of the table",
  registry: "gets a new schema; a compatibility rule, if one is set, may refuse it and fail the task",
  projector:
    "applies everything before the first transaction that has such a record, then halts (incompatible-schema); nothing is lost",
  cache: answersStand,
  next,
})

/** Stored rows change, or changes stop coming, and no record says so. */
export const loses = (what: string, next: string): Verdict => ({
  level: "loses",
  what,
  connector: "sends nothing about it",
  registry: "nothing new",
  projector: "cannot notice: the read models differ from the tables until a rebuild",
  cache: "serves what the read models say",
  next,
})

export const unknown = (what: string): Verdict => ({
  level: "unknown",
  what,
  connector: "unknown",
  registry: "unknown",
  projector: "unknown",
  cache: "unknown",
  next: "Look yourself: what this does cannot be told from the file.",
})

export const rebuildNext = "Afterwards rebuild: npx lockstep projection rebuild."

/** How a column that is read can change without a halt. */
export const expandAndContract =
  "In steps: add the new column and fill it with UPDATEs; deploy projections that read it, whose version loads a fresh generation; then remove the old column."
