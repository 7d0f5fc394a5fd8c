-- Events by hour and campaign instead of by time, in a table made anew.
--
-- Room is needed for both tables at once, and a gigabyte of memory. What is left of an attempt that was cut short goes first.
DROP TABLE IF EXISTS {database}.events_by_campaign;
CREATE TABLE {database}.events_by_campaign
(
    workspace LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    {columns},
    rest String CODEC(ZSTD(3)) SETTINGS (min_compress_block_size = 131072, max_compress_block_size = 131072),
    message_key UInt64 MATERIALIZED if(message_id = '', 0, sipHash64(message_id, rcpt_to)) CODEC(ZSTD(1)),
    INDEX by_seq seq TYPE minmax GRANULARITY 1,
    INDEX by_recipient rcpt_to TYPE text(tokenizer = 'array'),
    INDEX by_message message_id TYPE text(tokenizer = 'array'),
    INDEX by_event event_id TYPE bloom_filter(0.01) GRANULARITY 8
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (workspace, toStartOfHour(timestamp), campaign_id)
ORDER BY (workspace, toStartOfHour(timestamp), campaign_id, timestamp, event_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024,
    merge_selector_base = 10;
INSERT INTO {database}.events_by_campaign
    SETTINGS min_insert_block_size_rows = 100000, min_insert_block_size_bytes = 0, max_threads = 1
    SELECT * FROM {database}.events;
EXCHANGE TABLES {database}.events AND {database}.events_by_campaign;
DROP TABLE {database}.events_by_campaign;
