CREATE TABLE postledger.rollups_5
(
    workspace LowCardinality(String),
    {keys},
    value String CODEC(ZSTD(1)),
    hour UInt32 CODEC(Delta, ZSTD(1)),
    events Int64 CODEC(T64, ZSTD(1)),
    msg_size Int64 CODEC(T64, ZSTD(1)),
    queue_time Int64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((events, msg_size, queue_time))
ORDER BY (workspace, dimension, span, type, aspect, intDiv(hour, 730), value, hour)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
