DROP TABLE "graphs" CASCADE;--> statement-breakpoint
ALTER TABLE "workers" ADD COLUMN "offers" jsonb DEFAULT '[]'::jsonb NOT NULL;