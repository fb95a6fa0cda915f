-- One filing for ten thousand controllers writes more than a hundred thousand rows into these tables, and each reference is looked up
-- and locked for each row: a third of the time of that filing. What they refer to is written before them in the same transaction or is
-- never removed, and the embedded database, which looks things up for next to nothing, goes on checking the same code.
ALTER TABLE notice DROP CONSTRAINT notice_incident_id_fkey, DROP CONSTRAINT notice_controller_id_fkey;
ALTER TABLE duty DROP CONSTRAINT duty_of_law_incident_id_fkey, DROP CONSTRAINT duty_of_law_obligation_id_fkey;
ALTER TABLE delivery DROP CONSTRAINT delivery_by_lane_endpoint_id_fkey;
ALTER TABLE escalation DROP CONSTRAINT escalation_notice_id_fkey;
ALTER TABLE receipt DROP CONSTRAINT receipt_notice_id_fkey;

-- These rows are written again soon, when the notice has arrived. With room left in its page the new row stands beside the old one, and
-- where no index is concerned, as in notice, none is touched.
ALTER TABLE notice SET (fillfactor = 50);
ALTER TABLE delivery SET (fillfactor = 50);
ALTER TABLE duty SET (fillfactor = 60);
ALTER TABLE attempt SET (fillfactor = 60);
ALTER TABLE ledger_stream SET (fillfactor = 60);
