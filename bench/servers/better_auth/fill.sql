INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt")
SELECT id::text, name, email, true, created_at, created_at FROM bench_users ORDER BY n;

INSERT INTO account (id, "accountId", "providerId", "userId", password, "createdAt", "updatedAt")
SELECT 'a' || n, id::text, 'credential', id::text, :hash, created_at, created_at FROM bench_users ORDER BY n;

INSERT INTO items (id, owner_id, title, body, status, due_on, created_at, updated_at)
SELECT id, owner_id::text, title, body, status, due_on, created_at, created_at FROM bench_items ORDER BY n;
