INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT n, :hash, false, email, name, '', email, false, true, created_at FROM bench_users ORDER BY n;

INSERT INTO items_item (id, owner_id, title, body, status, due_on, created_at, updated_at)
SELECT n, owner_n, title, body, status, due_on, created_at, created_at FROM bench_items ORDER BY n;

SELECT setval(pg_get_serial_sequence('auth_user', 'id'), (SELECT max(id) FROM auth_user));
SELECT setval(pg_get_serial_sequence('items_item', 'id'), (SELECT max(id) FROM items_item));
