INSERT INTO users (id, email, name, password, is_active, created_at)
SELECT id, email, name, :hash, true, created_at FROM bench_users ORDER BY n;

INSERT INTO items (id, owner_id, title, body, status, due_on, created_at, updated_at)
SELECT id, owner_id, title, body, status, due_on, created_at, created_at FROM bench_items ORDER BY n;
