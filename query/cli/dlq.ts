// `lockstep dlq ..`: dead letters. Listing and showing read the database; redrive and discard are requests that the
// projector executes. Values of rows are masked unless --reveal, which is noted with who asked.
import { userInfo } from "node:os"
import { type Command, Option } from "commander"
import type { DeadLetterFilter } from "../cdc/dead-letters/stored-dead-letter.ts"
import { noteOperatorAction, requestDeadLetters } from "../cdc/lease/requests.ts"
import { withDatabase } from "./database.ts"
import { describeOutcome, outcomeShape, progressLine } from "./dlq-output.ts"
import { describeDeadLetter, listDeadLetters, maskQuoted, showDeadLetter } from "./dlq-read.ts"
import { followRequest } from "./follow-request.ts"
import { positive, withExamples } from "./help.ts"

type Chosen = { all?: boolean; table?: string; code?: string; aggregate?: string }
type Redrive = Chosen & {
  dryRun?: boolean
  reveal?: boolean
  maxAttempts: number
  rate: number
  json?: boolean
}
type Discard = Chosen & { yes?: boolean; dryRun?: boolean; json?: boolean }

export function addDeadLetterCommands(program: Command): void {
  const dlq = program.command("dlq").description("dead letters: row changes that could not be applied")
  const list = dlq
    .command("list")
    .description("list dead letters, oldest first")
    .addOption(
      new Option("--state <state>", "dead letters in this state")
        .choices(["parked", "applied", "superseded", "discarded", "erased"])
        .default("parked"),
    )
    .option("--table <table>", "dead letters of this table")
    .option("--code <code>", "dead letters with this error code")
    .option("--limit <n>", "at most this many", positive, 100)
    .option("--json", "print as JSON")
    .action(runList)
  withExamples(list, ["npx lockstep dlq list", "npx lockstep dlq list --table orders --json"])
  const show = dlq
    .command("show <id>")
    .description("show one dead letter: where it came from, why it is parked, its row")
    .option("--reveal", "show the values and the bytes; this is noted")
    .option("--json", "print as JSON")
    .action(runShow)
  withExamples(show, ["npx lockstep dlq show 17"])
  const redrive = choosing(dlq.command("redrive [ids...]"))
    .description("run parked changes through the guarded path at their place in history")
    .option("--dry-run", "show what it would change, and change nothing")
    .option("--reveal", "show values in what --dry-run prints; this is noted")
    .option("--max-attempts <n>", "leave dead letters alone that failed this often", positive, 5)
    .option("--rate <n>", "dead letters a second, at most", positive, 50)
    .option("--json", "print as JSON")
    .action(runRedrive)
  const redriven = "0 done, 1 failed, 2 wrong usage or settings, 3 some still fail, 130 left with Ctrl-C."
  withExamples(redrive, ["npx lockstep dlq redrive 17 --dry-run", "npx lockstep dlq redrive --all"], redriven)
  const discard = choosing(dlq.command("discard [ids...]"))
    .description("give parked changes up: the read models stay without them until the next rebuild")
    .option("--dry-run", "list what would be discarded")
    .option("--yes", "do it without listing first")
    .option("--json", "print as JSON")
    .action(runDiscard)
  withExamples(discard, ["npx lockstep dlq discard 17 --yes", "npx lockstep dlq discard --all --dry-run"])
}

const choosing = (command: Command): Command =>
  command
    .option("--all", "all that are parked")
    .option("--table <table>", "those of this table")
    .option("--code <code>", "those with this error code")
    .option("--aggregate <id>", "those whose row's key begins with this id")

function assertId(command: Command, id: string): void {
  if (!/^\d{1,18}$/.test(id)) command.error(`error: "${id}" is not the id of a dead letter`)
}

/** What to work on. Naming nothing is not the same as all. */
function filterOf(
  command: Command,
  ids: string[],
  { all, table, code, aggregate }: Chosen,
): DeadLetterFilter {
  for (const id of ids) assertId(command, id)
  const filter = { ...(ids.length > 0 ? { ids } : {}), table, code, aggregate }
  const names = Object.values(filter).some((value) => value !== undefined)
  if (all === true && names) command.error("error: --all and a choice exclude each other")
  if (all !== true && !names) {
    command.error("error: name ids, --table, --code or --aggregate, or say --all")
  }
  return filter
}

async function runList(options: {
  state: string
  table?: string
  code?: string
  limit: number
  json?: boolean
}): Promise<void> {
  await withDatabase(async (db, source) => {
    const { entries, total } = await listDeadLetters(db, source, options)
    if (options.json) return console.log(JSON.stringify({ total, entries }))
    for (const entry of entries) console.log(describeDeadLetter(entry))
    const more = total > entries.length ? ` (${entries.length} shown; --limit shows more)` : ""
    console.error(total === 0 ? `nothing is ${options.state}` : `${total} ${options.state}${more}`)
  })
}

async function runShow(
  id: string,
  options: { reveal?: boolean; json?: boolean },
  command: Command,
): Promise<void> {
  assertId(command, id)
  await withDatabase(async (db, source) => {
    const entry = await showDeadLetter(db, source, BigInt(id), options.reveal === true)
    if (!entry) throw new Error(`There is no dead letter ${id}: npx lockstep dlq list shows what is parked.`)
    if (options.reveal) {
      await noteOperatorAction(db, { source, actor: whoAsks(), action: "reveal", detail: { entry: id } })
    }
    if (options.json) console.log(JSON.stringify(entry))
    else for (const [name, value] of Object.entries(entry)) console.log(`${name.padEnd(16)} ${shown(value)}`)
  })
}

const shown = (value: unknown): string => {
  if (value === null) return "-"
  return typeof value === "string" ? value : JSON.stringify(value)
}

async function runRedrive(ids: string[], options: Redrive, command: Command): Promise<void> {
  const filter = filterOf(command, ids, options)
  const { dryRun = false, reveal = false, maxAttempts, rate } = options
  if (reveal && !dryRun) command.error("error: --reveal belongs to --dry-run")
  await work("redrive", { filter, dryRun, reveal, maxAttempts, rate }, options.json === true, reveal)
}

async function runDiscard(ids: string[], options: Discard, command: Command): Promise<void> {
  const filter = filterOf(command, ids, options)
  if (options.yes === true && options.dryRun !== true) {
    await work("discard", { filter }, options.json === true, false)
    return
  }
  await withDatabase(async (db, source) => {
    const { entries, total } = await listDeadLetters(db, source, { ...filter, state: "parked", limit: 100 })
    if (options.json) console.log(JSON.stringify({ total, entries }))
    else for (const entry of entries) console.log(describeDeadLetter(entry))
    if (options.dryRun) console.error(`${total} would be discarded`)
    else {
      console.error(`${total} would be discarded, and cannot come back: say --yes to do it`)
      process.exitCode = 2
    }
  })
}

/** Asks the projector and shows how it goes. */
async function work(
  kind: "redrive" | "discard",
  asked: object,
  json: boolean,
  reveal: boolean,
): Promise<void> {
  await withDatabase(async (db, source) => {
    if (reveal) await noteOperatorAction(db, { source, actor: whoAsks(), action: "reveal", detail: asked })
    const id = await requestDeadLetters(db, { source, kind, arguments: asked, requestedBy: whoAsks() })
    const outcome = await followRequest(db, id, progressLine)
    if (outcome.state === "failed") {
      if (json) console.log(JSON.stringify({ request: String(id), ...outcome }))
      else console.error(`${kind} failed: ${outcome.error}`)
      process.exitCode = 1
      return
    }
    const result = outcomeShape.parse(outcome.progress)
    const results = result.results.map(({ error, ...rest }) => ({
      ...rest,
      ...(error === undefined ? {} : { error: reveal ? error : maskQuoted(error) }),
    }))
    // Revealed values were for these eyes; they do not stay in the request.
    if (reveal) {
      await db
        .updateTable("cdc.requests")
        .set({ progress: JSON.stringify({ ...result, results: [] }) })
        .where("id", "=", id)
        .execute()
    }
    if (json) console.log(JSON.stringify({ request: String(id), ...result, results }))
    else for (const line of describeOutcome({ ...result, results })) console.log(line)
    process.exitCode = result.failed > 0 ? 3 : 0
  })
}

const whoAsks = (): string => userInfo().username
