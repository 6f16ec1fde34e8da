INSERT INTO "user" (id, email, hashed_password, is_active, is_superuser, is_verified, name, created_at)
SELECT id, email, :hash, true, false, true, name, created_at FROM bench_users ORDER BY n;

INSERT INTO items (id, owner_id, title, body, status, due_on, created_at, updated_at)
SELECT id, owner_id, title, body, status, due_on, created_at, created_at FROM bench_items ORDER BY n;
