// Signs up, confirms the address with the mailed token, signs in, and reads the account.

import { createInterface } from "node:readline/promises";

import createClient, { type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];
type User = components["schemas"]["UserRead"];

const [baseUrl = "http://127.0.0.1:8000", email = "jane@example.com"] = process.argv.slice(2);
const password = "correct horse battery";
const api = createClient<paths>({ baseUrl });

function data<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.error !== undefined) {
    throw new Error(`${answer.error.code}: ${JSON.stringify(answer.error.detail)}`);
  }
  return answer.data as T;
}

async function signIn(): Promise<void> {
  const { data: token, error } = await api.POST("/api/auth/jwt/login", {
    body: { username: email, password },
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  if (error !== undefined) {
    throw new Error(error.code);
  }
  const authorize: Middleware = {
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${token.access_token}`);
    },
  };
  api.use(authorize);
}

const registered: User = data(
  await api.POST("/api/auth/register", { body: { email, password, name: "Jane" } }),
);
await signIn().then(
  () => Promise.reject(new Error("signed in without a confirmed address")),
  (error: Error) => console.log(`${registered.email}: ${error.message}. The mailed token?`),
);

const lines = createInterface({ input: process.stdin });
const token = await lines.question("");
lines.close();

data(await api.POST("/api/auth/verify", { body: { token } }));
await signIn();
const me: User = data(await api.GET("/api/users/me"));
const renamed: User = data(await api.PATCH("/api/users/me", { body: { name: null } }));

const { error: refused } = await api.GET("/api/users", {
  params: { query: { is_active: true, sort: "-email", limit: 5 } },
});
console.log(JSON.stringify({ me, renamed, refused: refused?.status }));
