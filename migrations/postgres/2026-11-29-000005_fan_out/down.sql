ALTER TABLE ledger_stream RESET (fillfactor);
ALTER TABLE attempt RESET (fillfactor);
ALTER TABLE duty RESET (fillfactor);
ALTER TABLE delivery SET (fillfactor = 70);
ALTER TABLE notice RESET (fillfactor);

ALTER TABLE receipt ADD CONSTRAINT receipt_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES notice (id);
ALTER TABLE escalation ADD CONSTRAINT escalation_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES notice (id);
ALTER TABLE delivery ADD CONSTRAINT delivery_by_lane_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoint (id);
ALTER TABLE duty
    ADD CONSTRAINT duty_of_law_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES incident (id),
    ADD CONSTRAINT duty_of_law_obligation_id_fkey FOREIGN KEY (obligation_id) REFERENCES obligation_row (id);
ALTER TABLE notice
    ADD CONSTRAINT notice_incident_id_fkey FOREIGN KEY (incident_id) REFERENCES incident (id),
    ADD CONSTRAINT notice_controller_id_fkey FOREIGN KEY (controller_id) REFERENCES organisation (id);
