-- The tables of the app's Prisma schema that stewardmon looks at, with Prisma's spelling.
CREATE TABLE receipts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "userId" uuid NOT NULL,
    merchant text NOT NULL,
    total numeric(12, 2) NOT NULL DEFAULT 0,
    currency text NOT NULL DEFAULT 'USD',
    "purchaseDate" timestamp(3) NOT NULL,
    category text,
    summary text,
    "imageUrl" text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "receipts_userId_purchaseDate_idx" ON receipts ("userId", "purchaseDate");
CREATE INDEX "receipts_userId_category_idx" ON receipts ("userId", category);

CREATE TABLE agent_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "userId" uuid NOT NULL,
    query text NOT NULL,
    "responseTime" integer NOT NULL,
    success boolean NOT NULL,
    error text,
    "functionsUsed" text[] NOT NULL DEFAULT '{}',
    cached boolean NOT NULL DEFAULT false,
    metadata jsonb,
    timestamp timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX agent_logs_timestamp_idx ON agent_logs (timestamp);

CREATE TABLE _prisma_migrations (
    id varchar(36) PRIMARY KEY,
    checksum varchar(64) NOT NULL,
    finished_at timestamptz,
    migration_name varchar(255) NOT NULL,
    logs text,
    rolled_back_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(),
    applied_steps_count integer NOT NULL DEFAULT 0
);

-- Supabase's own table of users; no foreign key leads to it.
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
GRANT USAGE ON SCHEMA auth TO stewardmon;
GRANT SELECT (id) ON auth.users TO stewardmon;

-- Row level security as Supabase has it: `anon` may ask, and sees nothing.
ALTER TABLE receipts ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_logs ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA public TO anon, service_role, stewardmon;
GRANT SELECT ON receipts, agent_logs TO anon;
GRANT SELECT ON receipts, agent_logs TO service_role;
GRANT SELECT ON receipts, agent_logs, _prisma_migrations TO stewardmon;
CREATE POLICY "monitor reads" ON receipts FOR SELECT TO stewardmon USING (true);
CREATE POLICY "monitor reads" ON agent_logs FOR SELECT TO stewardmon USING (true);
