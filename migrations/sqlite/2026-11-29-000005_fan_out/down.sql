-- For the server only.
SELECT 1;
