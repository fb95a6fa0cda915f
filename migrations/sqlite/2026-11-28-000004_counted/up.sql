-- With the state in the index of the board, open duties are counted by state without a look at the duties themselves. Its own condition
-- has to stand in it too, or SQLite looks for that in the table.
DROP INDEX duty_board_processor;
CREATE INDEX duty_board_processor ON duty (processor_id, urgency_at, id, state, is_open) WHERE is_open;
