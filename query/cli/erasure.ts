// `lockstep erasure report <customer>`: the evidence of the read side that a customer's personal data is gone, what is
// left if it is not, and when the records end that Kafka still holds. It only looks.
import type { Command } from "commander"
import { pino } from "pino"
import { positionOfValue } from "../cdc/cache/layout.ts"
import { openRedis } from "../cdc/cache/redis-session.ts"
import { findAnswers } from "../cdc/cache/removal.ts"
import { createKafkaAccess } from "../cdc/kafka/kafka.ts"
import { dataTopic, deadLetterTopic } from "../cdc/vocabulary/topics.ts"
import { personalColumns } from "../orders/personal-data.ts"
import { readServers, withDatabase } from "./database.ts"
import { type ErasureReport, readErasureReport } from "./erasure-report.ts"
import { withExamples } from "./help.ts"

export function addErasureCommands(program: Command): void {
  const report = program
    .command("erasure")
    .description("personal data that was erased")
    .command("report")
    .argument("<customer>", "id of a customer")
    .description("show what the read side, its cache and the topics still hold of an erased customer")
    .option("--json", "print as JSON")
    .action(runReport)
  const codes = "0 nothing is left, 1 failed, 2 wrong usage or settings, 3 something is left, or not erased."
  withExamples(
    report,
    ["npx lockstep erasure report customer-123", "npx lockstep erasure report customer-123 --json"],
    codes,
  )
}

async function runReport(customerId: string, options: { json?: boolean }): Promise<void> {
  await withDatabase(async (db, source) => {
    const read = await readErasureReport(db, source, customerId)
    if (!read) throw new Error(`No read models of source ${source} serve yet.`)
    const answers = await readAnswers(source, customerId, read)
    const topics = await readTopics(read.erasedAt)
    const findings = findingsOf(read, answers)
    const evidence = {
      customer_id: customerId,
      source,
      at: new Date().toISOString(),
      erased_at: read.erasedAt,
      is_erased: findings.length === 0,
      findings,
      orders: read.orders.length,
      tables: read.tables,
      dead_letters: {
        entries: read.deadLetters.entries,
        holding: read.deadLetters.holding,
        of_unknown_rows: read.deadLetters.ofUnknownRows,
      },
      cache: answers,
      topics,
    }
    console.log(options.json ? JSON.stringify(evidence, null, 2) : describe(evidence))
    process.exitCode = findings.length === 0 ? 0 : 3
  })
}

function findingsOf(read: ErasureReport, answers: AnswersReport): string[] {
  const { deadLetters } = read
  const known = read.isKnown
    ? "The customer is not erased, as far as the read side has got."
    : "The read side knows no such customer."
  const holding = read.tables.filter((table) => table.holding > 0)
  return [
    ...(read.erasedAt === null ? [known] : []),
    ...holding.map(
      (table) => `Generation ${table.generation}: ${table.holding} rows of ${table.table} hold data.`,
    ),
    ...(deadLetters.holding > 0 ? [`${deadLetters.holding} dead letters hold bytes.`] : []),
    ...(deadLetters.ofUnknownRows > 0
      ? [
          `${deadLetters.ofUnknownRows} dead letters cannot be read: they may be anybody's. npx lockstep dlq list.`,
        ]
      : []),
    ...(answers.holding > 0
      ? [
          `${answers.holding} cached answers are older than the erasure; nothing serves them, and they end within an hour.`,
        ]
      : []),
  ]
}

type AnswersReport = { answers: number; holding: number }

/** What was read after the erasure shows nothing personal. */
async function readAnswers(source: string, customerId: string, read: ErasureReport): Promise<AnswersReport> {
  const redis = await openRedis(readServers().redisUrl)
  try {
    const keys = new Set([`customer:${customerId}`, ...read.orders.map((id) => `order:${id}`)])
    const names = await findAnswers(redis, source, keys)
    const values = names.length > 0 ? await redis.mget(names) : []
    const isOlder = (value: string | null) =>
      value !== null && read.erasedLsn !== null && positionOfValue(value) < read.erasedLsn
    return { answers: names.length, holding: values.filter(isOlder).length }
  } finally {
    redis.disconnect()
  }
}

type TopicReport = { topic: string; retention_ms: number; gone_by: string | null }

/** Of every topic whose records hold personal data: when the last record from before the erasure is gone. */
async function readTopics(erasedAt: string | null): Promise<TopicReport[]> {
  const { brokers, topicPrefix } = readServers()
  const kafka = createKafkaAccess({ brokers, clientId: "lockstep-cli", log: pino({ level: "silent" }) })
  try {
    const names = Object.keys(personalColumns).map((table) => dataTopic(topicPrefix, table))
    const retentions = await kafka.retentions([...names, deadLetterTopic(topicPrefix)])
    return [...retentions].map(([topic, { retentionMs, segmentMs }]) => ({
      topic,
      retention_ms: retentionMs,
      gone_by:
        erasedAt === null || retentionMs < 0
          ? null
          : new Date(Date.parse(erasedAt) + retentionMs + Math.max(0, segmentMs)).toISOString(),
    }))
  } finally {
    await kafka.close()
  }
}

const describe = (evidence: {
  customer_id: string
  erased_at: string | null
  findings: readonly string[]
  topics: readonly TopicReport[]
}): string =>
  [
    `${evidence.customer_id}  ${evidence.erased_at === null ? "not erased" : `erased ${evidence.erased_at}`}`,
    ...(evidence.findings.length > 0
      ? evidence.findings
      : ["nothing is left in tables, dead letters and cache"]),
    ...evidence.topics.map(({ topic, gone_by }) => `${topic}  gone by ${gone_by ?? "no known time"}`),
  ].join("\n")
