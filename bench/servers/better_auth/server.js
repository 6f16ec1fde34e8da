import { serve } from "@hono/node-server";
import { zValidator } from "@hono/zod-validator";
import { Hono } from "hono";
import { z } from "zod";

import { auth, pool } from "./auth.js";

const app = new Hono();

app.on(["POST", "GET"], "/api/auth/*", (c) => auth.handler(c.req.raw));

app.use("*", async (c, next) => {
  const session = await auth.api.getSession({ headers: c.req.raw.headers });
  if (!session) return c.json({ message: "Unauthorized" }, 401);
  c.set("user", session.user);
  c.set("session", session.session);
  await next();
});

app.get("/me", (c) => c.json(c.get("user")));

const newItem = z.object({
  title: z.string().min(1).max(120),
  body: z.string().max(2000).nullish(),
  status: z.enum(["draft", "live"]).default("draft"),
  due_on: z.iso.date().nullish(),
});

const columns = "id, title, body, status, due_on::text, created_at, updated_at";

app.post("/items", zValidator("json", newItem), async (c) => {
  const item = c.req.valid("json");
  const { rows } = await pool.query(
    `INSERT INTO items (owner_id, title, body, status, due_on)
     VALUES ($1, $2, $3, $4, $5) RETURNING ${columns}`,
    [c.get("user").id, item.title, item.body, item.status, item.due_on],
  );
  return c.json(rows[0], 201);
});

const page = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  offset: z.coerce.number().int().min(0).default(0),
});

app.get("/items", zValidator("query", page), async (c) => {
  const { limit, offset } = c.req.valid("query");
  const { rows } = await pool.query(
    `SELECT ${columns} FROM items WHERE owner_id = $1
     ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3`,
    [c.get("user").id, limit, offset],
  );
  return c.json(rows);
});

serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: "127.0.0.1" });
