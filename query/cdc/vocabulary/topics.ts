// Names by which other programs know the same thing: the topics of a source, as the connector names them under its prefix,
// and the channel on which the query database tells of a new position.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-topic-names

export const dataTopic = (topicPrefix: string, table: string): string => `${topicPrefix}.public.${table}`

export const commitLogTopic = (topicPrefix: string): string => `${topicPrefix}.transaction`

/** The one that is ours. */
export const deadLetterTopic = (topicPrefix: string): string => `${topicPrefix}.dead-letters`

/** Channel of the query database that wakes readers who wait for a position; its payload is the source. */
export const positionChannel = "lockstep_position"
