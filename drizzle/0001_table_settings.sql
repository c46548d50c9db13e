-- A queue's rows change a few times within seconds and are then still. Vacuum by share of the table would come too
-- late once the table holds millions: a fixed number of dead rows starts it, unthrottled, so that the claim index
-- stays free of them.
ALTER TABLE "jobs" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 10000);
--> statement-breakpoint
-- Room in each page for the next version of its rows: a claim's new row version then lies beside the old one, and
-- where no indexed column changed (a heartbeat of a worker, a progress note) the update touches no index at all.
ALTER TABLE "jobs" SET (fillfactor = 70);
--> statement-breakpoint
ALTER TABLE "workers" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
--> statement-breakpoint
ALTER TABLE "limit_keys" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
--> statement-breakpoint
-- Append-only until they are pruned: statistics matter, dead rows are few.
ALTER TABLE "job_events" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
--> statement-breakpoint
ALTER TABLE "job_attempts" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
