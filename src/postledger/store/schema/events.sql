-- Events, once each, by four hours, zone and campaign. Why this shape: ARCHITECTURE.md, "The table". An
-- older store is brought to it by upgrades/.
--
-- Sort key: every question names a workspace and a range of time. Within four hours (columns.py,
--   `BUCKET`) events of a campaign lie next to each other, those of a domain among them too, and what
--   they have in common is written once in a block. So who looks for some of them unpacks little else.
--   Pages in the order of time find their buckets first; sql.py, `page`.
-- zone: what happens to most messages, failures, and clicks lie apart (columns.py, `zone`), since who
--   looks for the last two would find one in each granule else.
-- Primary key: without the time itself, so that the engine finds a range of buckets by binary search;
--   with it, it would look at each granule of the range.
-- Partitions: months, so that ten days touch one or two and ten years are 120; retention drops them.
-- seq: the order in which events were stored, dense in each workspace; the feed follows it. Its
--   minmax index skips what a page of the feed does not need, as long as events come in roughly in
--   the order of their times.
-- by_recipient, by_message: inverted indexes of whole values. A bloom filter is smaller, but the
--   engine has to look at one for each granule: three times as slow at ten million events, and ever
--   slower. An id of an event is asked for rarely, so a coarse bloom filter does for it.
-- merge_selector_base: merge later, and more parts at once. With the default of 5 a fifth of the
--   work of taking events in goes into merges that the next merge does again.
-- min_level_for_wide_part: a part that was not merged yet has all columns in one file. That of a
--   large batch would have a hundred, each synced alone: a tenth of the time of taking events in.
-- rest, age: see store/columns.py.
-- min_compress_block_size, of these and of the ids: a granule begins with a block of its own. So what
--   a page needs of one is unpacked without its neighbours.
-- message_key: a message and its recipient as one number, for questions that put the events of
--   messages together. 0: the event tells no message.
-- injected: when the message of an event was injected, in unix milliseconds. A message begins with
--   some types of events, which need not say it. 0: the event does not tell.
CREATE TABLE IF NOT EXISTS {database}.events
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
