CREATE TABLE IF NOT EXISTS postledger.events
(
    workspace LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    {columns},
    rest String CODEC(ZSTD(1)) SETTINGS (min_compress_block_size = 131072, max_compress_block_size = 131072),
    INDEX by_seq seq TYPE minmax GRANULARITY 1,
    INDEX by_recipient rcpt_to TYPE text(tokenizer = 'array'),
    INDEX by_message message_id TYPE text(tokenizer = 'array'),
    INDEX by_event event_id TYPE bloom_filter(0.01) GRANULARITY 8
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (workspace, timestamp, event_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024,
    merge_selector_base = 10
