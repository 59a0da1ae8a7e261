// The connector's settings: `orders.json` with the names of one installation filled in, and the difference between
// the wanted and the running settings. Secrets never appear here: the file holds `${env:..}` placeholders that the
// worker resolves, and a difference masks a secret that somebody typed instead of a placeholder.
import type { ConnectorSettings } from "./connect-client.ts"
import template from "./orders.json" with { type: "json" }

export type ConnectorNames = {
  topicPrefix: string
  slotName: string
  /** The connector captures this database of the same cluster instead of the database in the worker's environment. */
  databaseName?: string | undefined
}

/** The settings to register under the given names; `overrides` wins over all other settings. */
export function buildSettings(names: ConnectorNames, overrides: ConnectorSettings = {}): ConnectorSettings {
  return {
    ...template,
    "topic.prefix": names.topicPrefix,
    "slot.name": names.slotName,
    "notification.sink.topic.name": `${names.topicPrefix}.notifications`,
    ...(names.databaseName === undefined ? {} : { "database.dbname": names.databaseName }),
    ...overrides,
  }
}

/** The tables of `table.include.list`, as `schema.table`. */
export function capturedTables(settings: ConnectorSettings): string[] {
  return listOf(settings["table.include.list"])
}

/** `schema.table` of the signal table: published, never captured. */
export function signalTable(settings: ConnectorSettings): string | undefined {
  return settings["signal.data.collection"]
}

export type SettingDifference =
  | { kind: "added"; setting: string; wanted: string }
  | { kind: "removed"; setting: string; running: string }
  | { kind: "changed"; setting: string; running: string; wanted: string }

/** The settings that registering would change, sorted by name, secrets masked. `running` is null for a new connector. */
export function compareSettings(
  running: ConnectorSettings | null,
  wanted: ConnectorSettings,
): SettingDifference[] {
  // Connect adds the connector's own name to the settings that a client put.
  const { name: _, ...before } = running ?? {}
  const settings = [...new Set([...Object.keys(before), ...Object.keys(wanted)])].sort()
  return settings.flatMap((setting) => difference(setting, before[setting], wanted[setting]))
}

/** One line per difference: `+` added, `-` removed, `~` changed. */
export function describeDifference(change: SettingDifference): string {
  switch (change.kind) {
    case "added":
      return `+ ${change.setting}: ${change.wanted}`
    case "removed":
      return `- ${change.setting}: ${change.running}`
    case "changed":
      return `~ ${change.setting}: ${change.running} -> ${change.wanted}`
    default:
      return change satisfies never
  }
}

function difference(
  setting: string,
  running: string | undefined,
  wanted: string | undefined,
): SettingDifference[] {
  if (running === wanted) return []
  if (running === undefined) {
    return wanted === undefined ? [] : [{ kind: "added", setting, wanted: mask(setting, wanted) }]
  }
  if (wanted === undefined) return [{ kind: "removed", setting, running: mask(setting, running) }]
  return [{ kind: "changed", setting, running: mask(setting, running), wanted: mask(setting, wanted) }]
}

const secretSetting = /password|secret|token|credential|sasl\.jaas|basic\.auth|\.key$|private/i
const placeholder = /^\$\{[^}]*\}$/

function mask(setting: string, value: string): string {
  if (!secretSetting.test(setting) || placeholder.test(value)) return hideUrlPassword(value)
  return "********"
}

function hideUrlPassword(value: string): string {
  return value.replace(/(:\/\/[^:/@\s]+):[^@/\s]+@/g, "$1:********@")
}

function listOf(value: string | undefined): string[] {
  return (value ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
}
