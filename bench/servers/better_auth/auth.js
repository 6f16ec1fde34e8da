import { betterAuth } from "better-auth";
import { bearer } from "better-auth/plugins";
import pg from "pg";

export const pool = new pg.Pool();

export const options = {
  database: pool,
  secret: process.env.SECRET,
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  emailAndPassword: { enabled: true },
  plugins: [bearer()],
  // On by default in production, for three sign-ins in ten seconds from one address.
  rateLimit: { enabled: false },
};

export const auth = betterAuth(options);
