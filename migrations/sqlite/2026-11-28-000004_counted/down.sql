DROP INDEX duty_board_processor;
CREATE INDEX duty_board_processor ON duty (processor_id, urgency_at, id) WHERE is_open;
