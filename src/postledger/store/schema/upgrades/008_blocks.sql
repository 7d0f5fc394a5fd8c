-- Blocks and codecs: see events.sql, and columns.py. For what is written from now on, merges included.
ALTER TABLE {database}.events MODIFY COLUMN event_id
    MODIFY SETTING min_compress_block_size = 1024, max_compress_block_size = 131072;
ALTER TABLE {database}.events MODIFY COLUMN message_id
    MODIFY SETTING min_compress_block_size = 1024, max_compress_block_size = 131072;
ALTER TABLE {database}.events MODIFY COLUMN transmission_id
    MODIFY SETTING min_compress_block_size = 1024, max_compress_block_size = 131072;
ALTER TABLE {database}.events MODIFY COLUMN rcpt_to
    MODIFY SETTING min_compress_block_size = 1024, max_compress_block_size = 131072;
ALTER TABLE {database}.events MODIFY COLUMN age
    MODIFY SETTING min_compress_block_size = 1024, max_compress_block_size = 131072;
ALTER TABLE {database}.events MODIFY COLUMN rest CODEC(ZSTD(1));
ALTER TABLE {database}.events MODIFY COLUMN rest
    MODIFY SETTING min_compress_block_size = 1024, max_compress_block_size = 262144;
ALTER TABLE {database}.events
    MODIFY COLUMN type CODEC(LZ4),
    MODIFY COLUMN campaign_id CODEC(LZ4),
    MODIFY COLUMN template_id CODEC(LZ4),
    MODIFY COLUMN subject CODEC(LZ4),
    MODIFY COLUMN friendly_from CODEC(LZ4),
    MODIFY COLUMN sending_domain CODEC(LZ4),
    MODIFY COLUMN recipient_domain CODEC(LZ4),
    MODIFY COLUMN sending_ip CODEC(LZ4),
    MODIFY COLUMN ip_pool CODEC(LZ4),
    MODIFY COLUMN subaccount_id CODEC(LZ4),
    MODIFY COLUMN mailbox_provider CODEC(LZ4),
    MODIFY COLUMN mailbox_provider_region CODEC(LZ4),
    MODIFY COLUMN target_link_name CODEC(LZ4),
    MODIFY COLUMN error_code CODEC(LZ4),
    MODIFY COLUMN ab_test_id CODEC(LZ4),
    MODIFY COLUMN source CODEC(LZ4);
