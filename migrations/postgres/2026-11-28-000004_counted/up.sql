-- With the state in the index of the board, open duties are counted by state without a look at the duties themselves.
DROP INDEX duty_board_processor;
CREATE INDEX duty_board_processor ON duty (processor_id, urgency_at, id) INCLUDE (state) WHERE is_open;
