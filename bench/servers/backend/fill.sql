INSERT INTO users (id, email, email_key, name, hashed_password, is_active, is_superuser, is_verified, created_at, updated_at)
SELECT id, email, email, name, :hash, true, false, true, created_at, created_at FROM bench_users ORDER BY n;

INSERT INTO items (id, owner_id, title, body, status, due_on, created_at, updated_at)
SELECT id, owner_id, title, body, status, due_on, created_at, created_at FROM bench_items ORDER BY n;
