import type { DataSourceOptions } from "typeorm";

import { Item } from "./item.entity.js";
import { User } from "./user.entity.js";

export const database: DataSourceOptions = {
  type: "postgres",
  host: process.env.PGHOST,
  username: process.env.PGUSER,
  database: process.env.PGDATABASE,
  // PostgreSQL has gen_random_uuid() of its own; the other extension is not everywhere.
  uuidExtension: "pgcrypto",
  installExtensions: false,
  entities: [User, Item],
};
