import { getMigrations } from "better-auth/db/migration";

import { options, pool } from "./auth.js";

const { runMigrations } = await getMigrations(options);
await runMigrations();
await pool.query(`
  CREATE TABLE items (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner_id text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    title varchar(120) NOT NULL,
    body varchar(2000),
    status varchar(16) NOT NULL DEFAULT 'draft',
    due_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX items_owner ON items (owner_id, created_at DESC, id DESC);
`);
await pool.end();
