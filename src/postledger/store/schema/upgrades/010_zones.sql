-- Events by four hours, zone, campaign and domain instead of by hour and campaign, in a table made
-- anew: see events.sql. Schema 9 had two zones, and is copied as any older one.
--
-- Room is needed for both tables at once, and a gigabyte of memory. What is left of an attempt that was cut short goes first.
DROP TABLE IF EXISTS {database}.events_by_zone;
CREATE TABLE {database}.events_by_zone
(
    workspace LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    {columns},
    rest String CODEC(ZSTD(1)) SETTINGS (min_compress_block_size = 1024, max_compress_block_size = 262144),
    message_key UInt64 MATERIALIZED if(message_id = '', 0, sipHash64(message_id, rcpt_to)) CODEC(ZSTD(1)),
    injected Int64 MATERIALIZED ifNull(toUnixTimestamp64Milli(timestamp)
        - if(type IN ('injection', 'policy_rejection', 'generation_failure', 'generation_rejection'), ifNull(age, 0), age), 0) CODEC(ZSTD(1)),
    zone UInt8 MATERIALIZED multiIf(type IN ('injection', 'delivery', 'open', 'initial_open'), 0,
        type IN ('click', 'initial_click', 'amp_open', 'amp_initial_open', 'amp_click'), 2, 1) CODEC(LZ4),
    INDEX by_seq seq TYPE minmax GRANULARITY 1,
    INDEX by_recipient rcpt_to TYPE text(tokenizer = 'array'),
    INDEX by_message message_id TYPE text(tokenizer = 'array'),
    INDEX by_event event_id TYPE bloom_filter(0.01) GRANULARITY 8
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (workspace, intDiv(toUnixTimestamp64Second(timestamp), 14400), zone, campaign_id)
ORDER BY (workspace, intDiv(toUnixTimestamp64Second(timestamp), 14400), zone, campaign_id, recipient_domain,
    timestamp, event_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024,
    merge_selector_base = 10, min_level_for_wide_part = 1;
INSERT INTO {database}.events_by_zone
    SETTINGS min_insert_block_size_rows = 100000, min_insert_block_size_bytes = 0, max_threads = 1
    SELECT * FROM {database}.events;
EXCHANGE TABLES {database}.events AND {database}.events_by_zone;
DROP TABLE {database}.events_by_zone;
