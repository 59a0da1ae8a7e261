// The topics of a source, by the names that the connector gives them under its prefix.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-topic-names

export const dataTopic = (topicPrefix: string, table: string): string => `${topicPrefix}.public.${table}`

export const commitLogTopic = (topicPrefix: string): string => `${topicPrefix}.transaction`

/** The one that is ours. */
export const deadLetterTopic = (topicPrefix: string): string => `${topicPrefix}.dead-letters`
