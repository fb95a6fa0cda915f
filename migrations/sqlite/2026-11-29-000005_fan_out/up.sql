-- For the server only: here a reference is looked up for next to nothing, and pages leave no room for rows to grow.
SELECT 1;
